import { QueueError } from '@app/queue';
import type { Logger } from '@app/runtime';
import { Problem, problemOf } from './problem.js';

/** What is answered where something was thrown; what nobody expected is logged with the facts, and tells nothing. */
export function toProblem(error: unknown, log: Logger, facts: object): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof QueueError && error.kind !== 'internal') {
    if (error.kind === 'unavailable' || error.kind === 'full') {
      // The adapter tells once that the store is away; every request telling it again would bury that.
      log.debug({ ...facts, err: error }, 'the store refused a request');
    }
    return problemOf(error);
  }
  log.error({ ...facts, err: error }, 'request failed');
  return new Problem('internal');
}
