import type { QueueError } from '../errors.js';
import type { QueueSettings, TenantSettings } from '../settings.js';
import type { Priority, QueueName, Task, TaskId, TerminalState } from '../task.js';
import type { ChoreResult } from './maintainer.js';

export type OperateOutcome =
  | { status: 'done'; task: Task }
  /** `task-not-found` or `wrong-state`. */
  | { status: 'refused'; error: QueueError };

export interface Operator {
  /**
   * Ends waiting tasks at once; asks running ones to stop (`cancelRequested`), which their worker learns with
   * its next `extend`. Cancelling a cancelled task is done already.
   */
  cancel(ids: readonly TaskId[]): Promise<OperateOutcome[]>;
  /**
   * Makes failed, cancelled or expired tasks pending again, with all their attempts; they never expire then. A
   * repeat finds the task pending and is refused with `wrong-state`: it changes nothing, but says so differently.
   */
  retry(ids: readonly TaskId[]): Promise<OperateOutcome[]>;
  /**
   * Changes tasks that wait. `priority`: to the tail of its new lane. `runAtMs` (ms since the epoch, in the past: now): of
   * scheduled and retrying tasks only. Anything else is refused with `wrong-state`.
   */
  update(changes: readonly TaskChange[]): Promise<OperateOutcome[]>;
  /** Removes tasks in a terminal state, with all that is known of them; answers what they were. Else `wrong-state`. */
  remove(ids: readonly TaskId[]): Promise<OperateOutcome[]>;

  /**
   * Replaces the queue's settings. Takes effect with the next call of any worker.
   *
   * @throws QueueError `invalid-request`; `queue-not-empty` where the mode cannot change now
   */
  configure(queue: QueueName, settings: QueueSettings): Promise<void>;
  /** Replaces a tenant's own settings; empty ones leave everything to the queue's. @throws QueueError `invalid-request` */
  configureTenant(queue: QueueName, tenant: string, settings: TenantSettings): Promise<void>;
  /** Nothing of the queue, or of one tenant in it, starts until it is resumed. What runs goes on. */
  pause(queue: QueueName, tenant?: string): Promise<void>;
  /** Ends a pause; without a tenant also a drain. */
  resume(queue: QueueName, tenant?: string): Promise<void>;
  /** Nothing new is accepted (`queue-draining`) until the queue is resumed. What waits is worked off; repeats still replay. */
  drain(queue: QueueName): Promise<void>;
  /** One bounded slice of a purge, to be repeated while `more`: cancels what waits, removes what is in a terminal state. */
  purge(request: PurgeRequest): Promise<ChoreResult>;
  /**
   * One bounded slice of removing a queue in which nothing waits or runs: its finished tasks, settings and statistics.
   * To be repeated while `more`. A task submitted later makes it anew. How many partitions it has stays.
   *
   * @throws QueueError `queue-not-empty`
   */
  deleteQueue(queue: QueueName): Promise<ChoreResult>;
}

export interface TaskChange {
  id: TaskId;
  priority?: Priority;
  runAtMs?: number;
}

export interface PurgeRequest {
  queue: QueueName;
  /** `waiting`: pending, scheduled and retrying. */
  state: 'waiting' | 'pending' | TerminalState;
  /** Only of this tenant; only with `pending`, and not in FIFO mode, where all wait in one lane. */
  tenant?: string;
}
