import type { QueueName } from '../task.js';

/** What one bounded slice of a chore did. */
export interface ChoreResult {
  /** Tasks moved. */
  count: number;
  /** There is more to do now. */
  more: boolean;
  /** When this chore next has something to do for the queue, as far as is known now. */
  nextInMs?: number;
}

export interface Maintainer {
  /** Makes due scheduled and retrying tasks pending, and expires those whose time to start has passed. */
  promote(queue: QueueName): Promise<ChoreResult>;
  /**
   * Takes lost leases: counts a crash and makes the task pending at the head of its lane, or failed after
   * `LIMITS.crashesMax`. After a gap (Redis was away or its clock jumped) every lease gets one more length.
   */
  reap(queue: QueueName): Promise<ChoreResult>;
  /** Removes finished tasks beyond retention. */
  prune(queue: QueueName): Promise<ChoreResult>;
  /**
   * Whether `holder` is to do the chores for the next `ttlMs`. Only saves work: every chore may run anywhere
   * at any time, twice or at once.
   */
  electForChores(holder: string, ttlMs: number): Promise<boolean>;
}
