import { LIMITS } from '../core/limits.js';
import type { Maintainer } from '../core/ports.js';
import { Chore, type ChoreSurroundings } from './chore.js';

/**
 * Takes the leases of workers that fell silent, so that their tasks go to others. A queue that is not visited for
 * `LIMITS.reapGapMs` counts as having been out of reach and its leases are prolonged, so with many queues the sweep
 * gets faster rather than longer.
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
