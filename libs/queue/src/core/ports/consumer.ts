import type { QueueError } from '../errors.js';
import type {
  JsonText,
  QueueName,
  RetryPolicy,
  Task,
  TaskError,
  TaskId,
  TaskSpec,
  TaskState,
} from '../task.js';

export interface LeaseRequest {
  queue: QueueName;
  workerId: string;
  /**
   * At most this many tasks, up to `LIMITS.leaseTasksMax`, of up to `LIMITS.leaseServesTenantsMax` tenants (then there is
   * `Lease.more`). 0 takes nothing new and passes the wake token on if work is waiting; a `requestId` that comes with it is
   * used up: who is late with the request takes nothing any more.
   */
  max: number;
  /** How long until the lease is lost unless extended: `LIMITS.leaseMsMin` to `LIMITS.leaseMsMax`. */
  leaseMs: number;
  /**
   * Identity of this request, unguessable and new for every lease: lease tokens are derived from it. A repeat
   * within `leaseMs`, and within `LIMITS.requestKeptMsMin` in any case, returns what the first one took and still holds,
   * whatever its `max`, unless two more of the worker have taken something in this queue since. Of those that are used up the latest four of a worker are known as long. Absent: made by the backend.
   */
  requestId?: string;
  /**
   * Tenants served before all others, whatever the priorities of the others, by turns of their weights: the one that such
   * a lease served least recently goes first. What they get so is not counted against their fair share. At most
   * `LIMITS.leaseTenantsMax`. Absent or empty: nobody comes first.
   */
  tenants?: readonly string[];
  /** Whom to serve when `tenants` have nothing that may start: everybody (true, the default), nobody, or these. */
  steal?: boolean | readonly string[];
}

/** A task with the right to settle it. */
export interface LeasedTask extends TaskSpec {
  id: TaskId;
  queue: QueueName;
  createdAt: number;
  attempt: number;
  failures: number;
  crashes: number;
  /** Errors of earlier attempts, oldest first. */
  errors: Task['errors'];
  leaseToken: string;
  leaseExpiresAt: number;
}

export interface Lease {
  /** In the order in which they are to start. */
  tasks: LeasedTask[];
  /** More was waiting that may start than was taken. */
  more: boolean;
  /**
   * Time until there may be something to take that cannot be taken now: a task falls due, a rate allows the next start.
   * Absent where only something else than time can bring it.
   */
  nextDueInMs?: number;
}

export type Settlement = {
  id: TaskId;
  leaseToken: string;
  /** Lines written since the last `extend`, stored with the settlement. */
  logs?: readonly string[];
} & (
  | { action: 'complete'; result?: JsonText }
  | {
      action: 'fail';
      error: TaskError;
      /** Default true. False: to the dead-letter queue at once. */
      retryable?: boolean;
      /** Instead of what the retry policy says. */
      retryInMs?: number;
      /** The policy for a task that has none of its own. Default: `DEFAULT_RETRY`. */
      defaultRetry?: RetryPolicy;
    }
  /** Back to the head of its lane; the attempt is not counted. Those of one call keep the order they are named in. */
  | {
      action: 'release';
      /** The queue starts nothing for so long, up to `LIMITS.retryAfterMsMax`: what the tasks need is overloaded. */
      retryAfterMs?: number;
    }
);

export type SettleOutcome =
  /** `state` is what this settlement led to; on a repeat, what it led to the first time. */
  { status: 'settled'; state: TaskState } | { status: 'refused'; error: QueueError };

export interface Extension {
  id: TaskId;
  leaseToken: string;
  progress?: JsonText;
  logs?: readonly string[];
}

export type ExtendOutcome =
  | { status: 'extended'; leaseExpiresAt: number; cancelRequested: boolean }
  | { status: 'refused'; error: QueueError };

export interface Consumer {
  /**
   * Takes waiting tasks that may start: due ones are promoted first; then by priority as the queue's settings say, inside
   * a priority fairly by tenant weight, inside a tenant first in, first out. Nothing that is paused, at its limit, or
   * whose ordering key is held. Expired ones are passed over and marked so. A lease of many starts them in the order of as
   * many leases of one.
   *
   * @throws QueueError kind `invalid` (nothing was taken)
   */
  lease(request: LeaseRequest): Promise<Lease>;

  /**
   * Ends leases, in order, and then takes the next tasks, in the same round trip unless they are many. Only the holder of the current
   * token can settle; a lease whose deadline has passed but that was not reaped yet still counts. Settling
   * twice with one token answers the same twice, until a later lease of the task has been settled.
   *
   * @throws QueueError `invalid-request`, with a pointer, for a result that is too long (nothing was settled)
   */
  settle(
    settlements: readonly Settlement[],
    next?: LeaseRequest,
  ): Promise<{ outcomes: SettleOutcome[]; lease?: Lease }>;

  /**
   * Moves deadlines to `leaseMs` from now, records progress and logs, and says who should stop.
   *
   * @throws QueueError `invalid-request`, with a pointer, for progress that is too long (nothing was extended)
   */
  extend(extensions: readonly Extension[], leaseMs: number): Promise<ExtendOutcome[]>;

  /**
   * Waits until one of the queues may have work, and names it; `undefined` after `timeoutMs` or on abort. The
   * caller has then been given the queue's only wake token and must call `lease`, with `max: 0` if it cannot
   * take anything after all. Waiting costs one connection per process (on a cluster, one per queue).
   *
   * `tenants`: only for work of these, for a caller that serves nobody else (`steal` is not true). Such a caller
   * takes no token from those who could serve everybody, and is told of work for `LIMITS.watchedMs` after it has asked for
   * a lease. Where the lease's `nextDueInMs` says so it is to ask again earlier: too many tenants are waited for.
   */
  waitForWork(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined>;

  /**
   * Waits for work of the request's queue as `waitForWork` does, and leases then, where the backend can in the same round
   * trip; after `timeoutMs` or on abort it leases all the same. Where it fails, the request is to be repeated with `lease`.
   *
   * @throws QueueError as `lease`, where it is kind `invalid` at once
   */
  waitAndLease(request: LeaseRequest, timeoutMs: number, signal?: AbortSignal): Promise<Lease>;

  /** Tells producers which queue each task type goes to unless the submission says otherwise. */
  announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void>;
}
