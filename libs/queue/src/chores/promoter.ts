import type { Maintainer } from '../core/ports.js';
import { Chore, type ChoreSurroundings } from './chore.js';

/**
 * Makes due tasks pending in queues whose workers are all away or busy; a worker with a queue of its own sees to its
 * due times itself. Also expires what was not started in time.
 */
export function promoter(maintainer: Pick<Maintainer, 'promote'>, surroundings: ChoreSurroundings): Chore {
  return new Chore(
    { name: 'promote', slice: (queue) => maintainer.promote(queue), intervalMs: 2_000 },
    surroundings,
  );
}
