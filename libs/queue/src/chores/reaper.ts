import { LIMITS } from '../core/limits.js';
import type { Maintainer } from '../core/ports/maintainer.js';
import { Chore, type ChoreSurroundings } from './chore.js';

/**
 * Takes the leases of workers that fell silent, so that their tasks go to others. With many queues the sweep gets
 * faster rather than longer: a newly elected process does not know when its predecessor visited a queue, and takes an
 * absence of more than `LIMITS.reapGapMs` for a gap, in which nobody could extend.
 */
export function reaper(maintainer: Pick<Maintainer, 'reap'>, surroundings: ChoreSurroundings): Chore {
  return new Chore(
    {
      name: 'reap',
      slice: (queue) => maintainer.reap(queue),
      intervalMs: 1_000,
      sweepMsMax: LIMITS.reapGapMs / 2,
    },
    surroundings,
  );
}
