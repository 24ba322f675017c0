import type { QueueSettings, TenantSettings } from '../settings.js';
import type { LogLine, Priority, QueueName, Task, TaskId, TaskState } from '../task.js';

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
