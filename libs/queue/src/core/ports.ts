import type { Capability } from './capabilities.js';
import type { QueueError } from './errors.js';
import type { QueueSettings, TenantSettings } from './settings.js';
import type {
  JsonText,
  LogLine,
  Priority,
  QueueName,
  RetryPolicy,
  Task,
  TaskError,
  TaskId,
  TaskSpec,
  TaskState,
  TerminalState,
} from './task.js';
import type { RegisteredWorker, WorkerCommand, WorkerRegistration } from './worker.js';

/*
 * What a backend does, by role. A process is given the roles it needs and no more: the API a Producer, a
 * Consumer, an Inspector, an Observer, an Operator and a Registry; a worker a Consumer, a Maintainer and a Registry. One
 * conformance suite (`testing/conformance.ts`) holds every implementation to what is promised here.
 *
 * Every mutation may be repeated with the same identity (task id, idempotency key, lease token, request id)
 * and then changes nothing and answers the same. All of them reject with a QueueError of kind `unavailable`
 * when the store does not answer in time; then the caller does not know whether it happened, and repeats it.
 *
 * A backend may lack some of what is promised here, by name (`capabilities.ts`): it refuses, or rejects, with
 * `capability-not-supported` what needs it, and ignores nothing silently.
 */

/** A task as submitted. Names and limits: `names.ts` and `limits.ts`. */
export interface NewTask {
  type: string;
  /** Absent: the queue that workers announced for the type, else `default`. */
  queue?: QueueName;
  /** The part of the id after `~`. Absent: a ULID. Given: the submission is idempotent by it. */
  key?: string;
  payload?: JsonText;
  /** Absent: `default`. */
  tenant?: string;
  /** Absent: 3, normal. */
  priority?: Priority;
  /** Start no earlier than this long after acceptance. Not together with `runAtMs`. */
  delayMs?: number;
  /** Start no earlier than this moment, in ms since the epoch. In the past: at once. */
  runAtMs?: number;
  /** Expire if not started this long after acceptance, or after `delayMs`/`runAtMs` where given. */
  ttlMs?: number;
  timeoutMs?: number;
  retry?: RetryPolicy;
  /**
   * Of the tasks with the same key and tenant one runs at a time, retries, crashes and lost leases included; they start
   * in the order in which they became pending within their priority.
   */
  orderingKey?: string;
  tags?: readonly string[];
  metadata?: Readonly<Record<string, string>>;
  /**
   * A second identity beside `key`, remembered per queue for `LIMITS.idempotencyMs`: repeating it with the
   * same fingerprint replays, with another one is refused.
   */
  idempotency?: { key: string; fingerprint: string };
}

export type EnqueueOutcome =
  /** Stored. `task` is as it was at that moment. */
  | { status: 'accepted'; task: Task }
  /** An earlier submission with the same identity and content stored it. `task` is as it was accepted then. */
  | { status: 'replayed'; task: Task }
  /** Not stored: `id-conflict`, `idempotency-mismatch`, `task-gone`, `backlog-full`, `queue-draining` or `capability-not-supported`. */
  | { status: 'refused'; error: QueueError };

export interface Producer {
  /**
   * Stores up to `LIMITS.batchTasksMax` tasks, all checked first; one outcome per task, in order. Once this resolves with `accepted`, the
   * task is kept until it reaches a terminal state.
   *
   * `atomic`: all of one queue, stored in one step or, if any is refused, none: then those that could have
   * been stored are reported as refused with the first refusal's error. Otherwise each task is on its own.
   *
   * @throws QueueError kind `invalid` (nothing was stored), `full`, `unavailable`
   */
  enqueue(tasks: readonly NewTask[], options?: { atomic?: boolean }): Promise<EnqueueOutcome[]>;

  /** Where a task of this type goes that names no queue: see `announceTypes`. A change may take seconds to be known. */
  queueOf(type: string): Promise<QueueName>;
}

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
   * whatever its `max`. Of those that are used up the latest four of a worker are known as long. Absent: made by the backend.
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

  /** Tells producers which queue each task type goes to unless the submission says otherwise. */
  announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void>;
}

export interface ListQuery {
  queue: QueueName;
  /**
   * Absent: every state, by time of acceptance. The order of `scheduled` and `retrying` is by due time, of
   * `running` by lease deadline, of terminal states by end; of `pending` by acceptance.
   */
  state?: TaskState;
  type?: string;
  tenant?: string;
  tag?: string;
  order: 'newest' | 'oldest';
  /** 1 to `LIMITS.listLimitMax`. */
  limit: number;
  cursor?: string;
  /** With payload, result and errors. Default false. */
  full?: boolean;
}

export interface TaskPage {
  items: Task[];
  /** Absent at the end. A page may be short, even empty, and have one: filters look at a bounded number. */
  nextCursor?: string;
}

export type StateCounts = Record<TaskState, number>;

/** Starts by how long the task had been pending: one count for each of `LIMITS.waitBoundsMs`, and one for what was longer. */
export type WaitCounts = readonly number[];

export interface QueueOverview {
  queue: QueueName;
  /** Nothing starts until it is resumed. */
  paused: boolean;
  /** Nothing new is accepted until it is resumed. */
  draining: boolean;
  /** Tasks that wait: scheduled, pending and retrying. */
  backlog: number;
  /** Waiting times of the tasks started in the minutes shown. */
  waits: WaitCounts;
  states: StateCounts;
  /** States of the tasks of each priority, 1 to 6. */
  priorities: Record<Priority, StateCounts>;
  /** The `LIMITS.typesShown` types with the most tasks. */
  types: Record<string, StateCounts>;
  /** How long the oldest pending task has been pending; absent where there is none. */
  oldestPendingAgeMs?: number;
  /** Time until the next scheduled or retrying task is due; negative when overdue. */
  nextDueInMs?: number;
  /** What happened in the last whole minutes, newest first, at most 60. */
  minutes: MinuteCounts[];
}

/** What the engine counted in one minute. */
export interface MinuteCounts extends Record<MinuteEvent, number> {
  /** Start of the minute, in ms since the epoch. */
  at: number;
}

export const MINUTE_EVENTS = [
  'enqueued',
  'started',
  'completed',
  'retried',
  'failed',
  'crashed',
  'cancelled',
  'expired',
] as const;
export type MinuteEvent = (typeof MINUTE_EVENTS)[number];

/** What a tenant has in a queue. */
export interface TenantOverview {
  tenant: string;
  /** Its own settings; what they leave out is the queue's. */
  settings: TenantSettings;
  paused: boolean;
  /** Tasks that wait: scheduled, pending and retrying. */
  backlog: number;
  running: number;
  /** How long its oldest pending task has been pending; absent where there is none. */
  oldestPendingAgeMs?: number;
  /** Tasks started in the current minute, and in the one before. */
  startedThisMinute: number;
  startedLastMinute: number;
  /** Waiting times of its tasks, since it was last without any for a day. */
  waits: WaitCounts;
}

export interface TenantPage {
  items: TenantOverview[];
  nextCursor?: string;
}

/** How leases of a worker ended. */
export const LEASE_OUTCOMES = [
  /** Settled so. */
  'completed',
  /** The task is in the dead-letter queue. */
  'failed',
  /** The attempt failed, the task is tried again. */
  'retried',
  'released',
  /** The worker gave it back or failed after it was asked to stop. */
  'cancelled',
  /** The worker let the lease lapse. */
  'crashed',
] as const;
export type LeaseOutcome = (typeof LEASE_OUTCOMES)[number];

/** What a worker does in a queue, as the engine saw it: nothing of it is the worker's word. */
export interface WorkerActivity {
  /** Tasks it has leased, lapsed leases included until they are reaped. */
  running: number;
  /** Since it was first seen. Of the `LIMITS.workersKept` workers that were last active in the queue. */
  totals: Record<LeaseOutcome, number>;
}

export interface Inspector {
  /** In order; `undefined` where there is no such task. */
  get(ids: readonly TaskId[]): Promise<(Task | undefined)[]>;
  /** Work per page is bounded whatever the queue holds. @throws QueueError `invalid-cursor` */
  list(query: ListQuery): Promise<TaskPage>;
  /** The latest lines, oldest first; at most `LIMITS.logLinesKept`. */
  logs(id: TaskId): Promise<LogLine[]>;
  /** Names of all queues that ever had a task or settings, sorted, after `cursor` (a name). */
  queues(limit: number, cursor?: QueueName): Promise<{ items: QueueName[]; nextCursor?: QueueName }>;
  /** In order; `undefined` where the queue was never used, configured or paused, or was deleted since. */
  overview(queues: readonly QueueName[]): Promise<(QueueOverview | undefined)[]>;
  /** As `configure` last left them; empty where it never did. */
  settings(queue: QueueName): Promise<QueueSettings>;
  /**
   * Tenants that have tasks waiting or running, settings of their own, or are paused: those with many open tasks first, by
   * `sizeClass`, inside a class by name downwards. A tenant whose number changes while pages are read may be missed or seen twice.
   *
   * @throws QueueError `invalid-cursor`
   */
  tenants(queue: QueueName, limit: number, cursor?: string): Promise<TenantPage>;
  /** One tenant, known or not. */
  tenant(queue: QueueName, tenant: string): Promise<TenantOverview>;
  /** What each of these workers does in the queue, in order; nothing for one that was never seen there. */
  activity(queue: QueueName, workerIds: readonly string[]): Promise<WorkerActivity[]>;
  /** Tasks of the queue that a worker has leased, in no order: all or, where there are more, any `limit` of them. */
  leased(queue: QueueName, workerId: string, limit: number): Promise<Task[]>;
  /**
   * The task once it is in a terminal state, or as it is after `timeoutMs` or on abort; `undefined` where there
   * is none. Never misses an end that happens while it starts to wait. Waiting costs the store nothing.
   *
   * @param unbornAtMs a moment, by `performance.now()`, when the task was not yet submitted. Who has listened since then
   *   knows whether it may have ended, and need not look first
   */
  waitForEnd(
    id: TaskId,
    timeoutMs: number,
    signal?: AbortSignal,
    unbornAtMs?: number,
  ): Promise<Task | undefined>;
  /** A real write and a real read. @throws QueueError kind `unavailable` or `full` */
  probe(): Promise<{ writeMs: number; readMs: number }>;
}

/** What happened to a task. Strings and numbers only, the same object for all who follow, and not to be changed by any. */
export interface QueueEvent {
  /** A state: the task has entered it. Else its worker has reported, which only those who follow the task hear. */
  kind: TaskState | 'progress' | 'logs';
  /** When, in ms since the epoch on the store's clock. */
  at: number;
  queue: QueueName;
  taskId: TaskId;
  /** Attempts started until then. */
  attempt: number;
  /** As `tenant`, absent from reports: who follows one task knows them. */
  type?: string;
  tenant?: string;
  /** With `progress`: what was last reported when this was read. */
  progress?: JsonText;
  /** With `logs`: the lines, oldest first, as far as they are still kept. */
  logs?: readonly LogLine[];
}

/** Whose events to follow. */
export type EventSelection = { task: TaskId } | ({ queues: readonly QueueName[] | 'all' } & EventFilter);

/** Which events to hear of: those that are in each of the lists given. */
export interface EventFilter {
  states?: readonly TaskState[];
  types?: readonly string[];
  tenants?: readonly string[];
}

/** Somebody who follows tasks. */
export interface EventFollower {
  /**
   * Something has happened, in the order in which it happened to each task. `position` is where to go on after all of it.
   *
   * What is old when one begins to follow comes in parts: the next one once the promise, where there is one, has resolved.
   * What is new does not wait for anybody, so a follower must bound what it keeps.
   */
  onEvents(events: readonly QueueEvent[], position: EventPosition): void | Promise<void>;
  /** Something may have happened that was not told: it is not kept any more, or the store was away. */
  onGap(): void;
}

/** How far somebody has followed: text of one form for all that can be followed, to go on from later or elsewhere. */
export type EventPosition = string;

export interface Following {
  /** Following again after this misses nothing; what came last may come again. Moves on while nothing is told, too. */
  readonly position: EventPosition;
  stop(): void;
}

export interface Observer {
  /**
   * Tells a follower what happens from now on, or has happened since `after`: as much of it as `LIMITS.eventsKept` is
   * kept, and `onGap` first where that is not all. Of a task every state and report; of queues states. `all`: the first
   * `LIMITS.followedQueuesMax` queues by name (a tenth of that on a cluster), new ones within seconds and with all that
   * happened in them. What happens to queues that are deleted is told up to their deletion.
   *
   * @throws QueueError `invalid-position`, `invalid-request`, `invalid-task-id`
   */
  follow(selection: EventSelection, follower: EventFollower, after?: EventPosition): Promise<Following>;
  /** A task, and the position up to which everything has happened to it: who follows on from there misses nothing. */
  snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined>;
}

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

export interface WorkerQuery {
  /** 1 to `LIMITS.listLimitMax`. */
  limit: number;
  /** Those after this id. */
  cursor?: string;
  /** Only those that take tasks from this queue. */
  queue?: QueueName;
  /** Only those that have these labels. */
  labels?: Readonly<Record<string, string>>;
}

export interface WorkerPage {
  /** By id. */
  items: RegisteredWorker[];
  /** Absent at the end. A page may be short, even empty, and have one: a bounded number is looked at. */
  nextCursor?: string;
}

/** Who works. Whoever is not heard of for a while is gone; what it had leased is the reaper's business. */
export interface Registry {
  /**
   * Registers a worker for `ttlMs`, to be repeated before that is over, and answers what an operator wants of it. What it
   * says replaces what it said before. One that was gone begins anew: nothing is wanted of it.
   *
   * @throws QueueError kind `invalid`; `too-many-workers`
   */
  register(worker: WorkerRegistration, ttlMs: number): Promise<RegisteredWorker>;
  /** The worker says goodbye. Whether it was registered. */
  deregister(id: string): Promise<boolean>;
  /** Tells a worker, by its next `register`, to take no new tasks or to end; without a command, to work. `undefined`: no such worker. */
  tell(id: string, command?: WorkerCommand): Promise<RegisteredWorker | undefined>;
  /** `undefined` where it is not registered. */
  worker(id: string): Promise<RegisteredWorker | undefined>;
  /** Work per page is bounded however many there are. */
  workers(query: WorkerQuery): Promise<WorkerPage>;
  /** What is wanted of all those who are not simply to work, by id; some may be gone already. */
  commands(): Promise<ReadonlyMap<string, WorkerCommand>>;
}

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

/** Everything a backend offers. */
export interface Queue extends Producer, Consumer, Inspector, Observer, Operator, Maintainer, Registry {
  /** What the backend of a queue has, known without asking it; without a queue, the one that all others are on. */
  capabilities(queue?: QueueName): ReadonlySet<Capability>;
  /** Connects and checks that the store is fit for use. @throws QueueError `store-unsuitable` or kind `unavailable` */
  open(): Promise<void>;
  /** Ends waits, lets calls under way finish, and disconnects. */
  close(): Promise<void>;
}
