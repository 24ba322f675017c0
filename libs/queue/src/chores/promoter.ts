import type { Maintainer } from '../core/ports/maintainer.js';
import { Chore, type ChoreSurroundings } from './chore.js';

/**
 * Makes due tasks pending, and lets tenants take part again whose rate allows it, in queues whose workers are all away or
 * busy; a worker sees to the due times of its queues itself. Also expires what was not started in time.
 */
export function promoter(maintainer: Pick<Maintainer, 'promote'>, surroundings: ChoreSurroundings): Chore {
  return new Chore(
    { name: 'promote', slice: (queue) => maintainer.promote(queue), intervalMs: 2_000 },
    surroundings,
  );
}
