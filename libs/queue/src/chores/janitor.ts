import type { Maintainer } from '../core/ports/maintainer.js';
import { Chore, type ChoreSurroundings } from './chore.js';

/** Removes finished tasks that are beyond their queue's retention. */
export function janitor(maintainer: Pick<Maintainer, 'prune'>, surroundings: ChoreSurroundings): Chore {
  return new Chore(
    { name: 'prune', slice: (queue) => maintainer.prune(queue), intervalMs: 10_000 },
    surroundings,
  );
}
