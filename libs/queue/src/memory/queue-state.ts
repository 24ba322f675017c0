import { LIMITS } from '../core/limits.js';
import type { MinuteEvent } from '../core/ports/inspector.js';
import type { QueueEvent } from '../core/ports/observer.js';
import { storedLines } from '../core/report.js';
import {
  effectiveSettings,
  type PriorityPolicy,
  type QueueSettings,
  type TenantSettings,
} from '../core/settings.js';
import {
  isTerminal,
  type AttemptError,
  type FailureReason,
  type JsonText,
  type QueueName,
  type Task,
  type TaskState,
  type TerminalState,
} from '../core/task.js';
import { FIFO_LANE, Lanes } from './lanes.js';
import { Levels } from './levels.js';
import { Minutes } from './minutes.js';
import { Ordering } from './ordering.js';
import type { Lane, TaskRecord } from './record.js';
import { TenantState } from './tenant-state.js';
import { Watched } from './watched.js';
import { WorkerTotals } from './worker-totals.js';

/** What a queue tells the outside about itself. */
export interface QueueListener {
  /** A worker has a reason to look: anyone, or one that serves this tenant and not everybody. */
  ring(queue: QueueName, tenant?: string): void;
  happened(event: Omit<QueueEvent, 'at'>): void;
}

/** The latest lease requests of a worker that took something, newest first, and the latest that are used up. */
export interface Asked {
  took: readonly { requestId: string; keys: readonly string[] }[];
  usedUp: readonly string[];
  until: number;
}

/** What outlives the deletion of a queue. */
interface Remembered {
  /** Submissions by idempotency key. */
  submissions: Map<string, { fingerprint: string; key: string; until: number }>;
  /** What each worker asked for. */
  requests: Map<string, Asked>;
  /** Tenants that were named by workers that do not serve everybody. */
  watched: Watched;
  /** The queue was known once. */
  listed: boolean;
}

/**
 * One queue: its tasks, what is remembered to recognise repeats, and the moves a task can make. Every move of
 * the lifecycle after acceptance is one method here; the operations decide which.
 */
export class QueueState {
  readonly tasks = new Map<string, TaskRecord>();
  readonly lanes = new Lanes((tenant) => this.#ringFor(tenant));
  readonly levels = new Levels();
  readonly ordering = new Ordering();
  readonly minutes = new Minutes();
  readonly totals = new WorkerTotals();
  settings: QueueSettings = {};
  paused = false;
  draining = false;
  /** Nothing starts before. */
  notBefore = 0;
  /** Of the queue's rate; see rate.ts. */
  tat = 0;
  /** In FIFO mode, the task that has started and not ended. */
  fifoHolder?: TaskRecord;
  /** A task has stopped running in this operation, and nobody was told yet. */
  freed = false;
  /** Turns of named tenants so far. */
  turns = 0;
  /** Tasks accepted so far; also the position of the next one. */
  accepted = 0;
  /** An operator has said something about it. */
  operated = false;
  reapedAt?: number;
  /** When the reaper last came back after a gap. Leases of before get one more length. */
  gapAt?: number;
  readonly #tenants = new Map<string, TenantState>();
  readonly #due = new Set<TaskRecord>();
  readonly #running = new Set<TaskRecord>();

  constructor(
    readonly name: QueueName,
    private readonly listener: QueueListener,
    private readonly remembered: Remembered = {
      submissions: new Map(),
      requests: new Map(),
      watched: new Watched(),
      listed: false,
    },
  ) {}

  /** The queue after its deletion: as if it had never been used, but for how repeats are recognised. */
  afterDeletion(): QueueState {
    return new QueueState(this.name, this.listener, {
      ...this.remembered,
      watched: new Watched(),
      listed: this.isListed,
    });
  }

  get submissions(): Remembered['submissions'] {
    return this.remembered.submissions;
  }

  get requests(): Remembered['requests'] {
    return this.remembered.requests;
  }

  /** It was used, configured or paused. */
  get isKnown(): boolean {
    return this.accepted > 0 || this.operated;
  }

  get isListed(): boolean {
    return this.remembered.listed || this.isKnown;
  }

  get isFifo(): boolean {
    return this.settings.mode === 'fifo';
  }

  get priorityPolicy(): PriorityPolicy {
    return this.settings.priority ?? { policy: 'strict' };
  }

  get tenants(): ReadonlyMap<string, TenantState> {
    return this.#tenants;
  }

  tenant(name: string): TenantState {
    let tenant = this.#tenants.get(name);
    if (!tenant) this.#tenants.set(name, (tenant = new TenantState()));
    return tenant;
  }

  /** A tenant's own settings with what they leave to the queue's. */
  settingsOf(tenant: string): TenantSettings {
    return effectiveSettings(this.settings, this.tenant(tenant).settings);
  }

  /** Tasks that wait, of a tenant or of all. */
  backlog(tenant?: string): number {
    return this.#count(tenant, ({ state }) => state !== 'running' && !isTerminal(state));
  }

  /** Tasks that run, of a tenant or of all. */
  running(tenant?: string): number {
    return this.#count(tenant, ({ state }) => state === 'running');
  }

  /** Tasks that wait or run, of a tenant or of all. */
  open(tenant?: string): number {
    return this.backlog(tenant) + this.running(tenant);
  }

  /** Where a task waits that becomes pending now. */
  laneFor({ priority, tenant }: Task): Lane {
    if (this.isFifo) return FIFO_LANE;
    return { priority: this.priorityPolicy.policy === 'off' ? FIFO_LANE.priority : priority, tenant };
  }

  /** A named tenant has had its turn. Of many, the turns of those served longest ago are forgotten. */
  served(tenant: string): void {
    this.tenant(tenant).servedAt = this.turns += 1;
    const known = [...this.#tenants.values()].filter(({ servedAt }) => servedAt > 0);
    if (known.length <= LIMITS.servedTenantsKept) return;
    known.reduce((a, b) => (a.servedAt < b.servedAt ? a : b)).servedAt = 0;
  }

  /** Nothing starts before `time`. */
  holdBack(time: number): void {
    this.notBefore = Math.max(this.notBefore, time);
  }

  /** What a tenant did is forgotten once it has had nothing to do for long. */
  forgetIdle(tenant: string, now: number): void {
    const idle = this.open(tenant) === 0 && now - this.tenant(tenant).endedAt >= LIMITS.idleTenantKeptMs;
    if (idle) this.tenant(tenant).forget();
  }

  /** Tasks that wait for a time, the next one first. */
  due(): TaskRecord[] {
    return [...this.#due].sort((a, b) => dueAt(a) - dueAt(b) || compareText(a.key, b.key));
  }

  /** Leased tasks, the next deadline first. */
  leased(): TaskRecord[] {
    return [...this.#running].sort((a, b) => deadlineOf(a) - deadlineOf(b) || compareText(a.key, b.key));
  }

  /** Workers that do not serve everybody hear of the tenants they have named; false where these are too many. */
  watch(tenants: readonly string[], now: number): boolean {
    return this.remembered.watched.add(tenants, now);
  }

  ring(tenant?: string): void {
    this.listener.ring(this.name, tenant);
  }

  /** Where somebody may be served, all who could are told. */
  ringIfWaiting(): void {
    if (this.lanes.isIdle) return;
    this.ring();
    for (const tenant of this.remembered.watched) if (this.lanes.isInRing(tenant)) this.ring(tenant);
  }

  /** Where running tasks are limited, those that stopped running make room. */
  ringIfFreed(): void {
    if (this.freed && this.settings.concurrency !== undefined) this.ringIfWaiting();
    this.freed = false;
  }

  count(event: MinuteEvent, now: number): void {
    this.minutes.count(event, now);
  }

  /** To the tail of its lane; to the head where it holds a FIFO queue. */
  append(record: TaskRecord, now: number): void {
    this.#wait(record);
    record.pendingSince = Math.max(now, record.pendingSince + 1);
    if (this.fifoHolder === record) this.lanes.prepend(record);
    else this.lanes.append(record);
  }

  /** Back to the head of its lane, after a lease. */
  putBack(record: TaskRecord): void {
    this.#wait(record);
    this.lanes.prepend(record);
  }

  /** Until its time comes. Where it is the next of all, a worker is told, to learn when. */
  postpone(record: TaskRecord, state: 'scheduled' | 'retrying', due: number): void {
    this.#leave(record);
    this.#enter(record, state);
    record.task.dueAt = due;
    this.#due.add(record);
    if (this.due()[0] === record) this.ring();
  }

  /** The caller has taken it out of its lane. */
  start(record: TaskRecord, workerId: string, token: string, leaseMs: number, now: number): void {
    const { task } = record;
    task.attempt += 1;
    this.#enter(record, 'running');
    task.startedAt = now;
    task.workerId = workerId;
    task.leaseExpiresAt = now + leaseMs;
    record.lease = { token, leaseMs };
    record.mayExpire = false;
    this.#running.add(record);
    if (this.isFifo) this.fifoHolder = record;
    const waitMs = now - record.pendingSince;
    const tenant = this.tenant(task.tenant);
    this.minutes.countStart(waitMs, now);
    tenant.minutes.countStart(waitMs, now);
    tenant.waits.count(waitMs);
  }

  end(record: TaskRecord, state: TerminalState, now: number, reason?: FailureReason): void {
    this.#leave(record);
    this.#enter(record, state);
    record.task.finishedAt = now;
    record.task.cancelRequested = false;
    record.task.failureReason = reason;
    record.mayExpire = false;
    this.count(state, now);
    this.tenant(record.task.tenant).endedAt = now;
    const next = this.ordering.release(record);
    if (next) this.lanes.prepend(next);
    if (this.fifoHolder === record) {
      this.fifoHolder = undefined;
      this.lanes.tell(FIFO_LANE.tenant);
    }
  }

  addError(record: TaskRecord, error: AttemptError): void {
    record.task.errors = [...record.task.errors, error].slice(-LIMITS.errorsKept);
  }

  setProgress({ task }: TaskRecord, progress: JsonText): void {
    task.progress = progress;
    const { id: taskId, attempt } = task;
    this.listener.happened({ kind: 'progress', queue: this.name, taskId, attempt, progress });
  }

  addLogs(record: TaskRecord, lines: readonly string[] | undefined, now: number): void {
    const { id: taskId, attempt } = record.task;
    const logs = storedLines(lines).map((message) => ({ at: now, attempt, message }));
    if (logs.length === 0) return;
    record.logs.push(...logs);
    record.logs.splice(0, record.logs.length - LIMITS.logLinesKept);
    this.listener.happened({ kind: 'logs', queue: this.name, taskId, attempt, logs });
  }

  /** To those who follow: it is in this state now. */
  announce({ task: { id: taskId, state: kind, attempt, type, tenant } }: TaskRecord): void {
    this.listener.happened({ kind, queue: this.name, taskId, attempt, type, tenant });
  }

  /** Pending, for a place in its lane. */
  #wait(record: TaskRecord): void {
    this.#leave(record);
    this.#enter(record, 'pending');
    record.lane = this.laneFor(record.task);
    if (this.fifoHolder === record) this.lanes.tell(FIFO_LANE.tenant);
  }

  #enter(record: TaskRecord, state: TaskState): void {
    if (record.task.state === state) return;
    record.task.state = state;
    this.announce(record);
  }

  /** Forgets what belongs to the present state only. */
  #leave(record: TaskRecord): void {
    const { task } = record;
    if (task.state === 'pending') {
      this.lanes.remove(record);
      this.ordering.withdraw(record);
    }
    this.#due.delete(record);
    if (this.#running.delete(record)) this.#stopRunning(record);
    record.lease = undefined;
    task.dueAt = undefined;
    task.workerId = undefined;
    task.leaseExpiresAt = undefined;
  }

  #stopRunning({ task }: TaskRecord): void {
    this.lanes.tell(task.tenant);
    this.freed = true;
  }

  /** A tenant has entered a ring. */
  #ringFor(tenant: string): void {
    this.ring();
    if (this.remembered.watched.has(tenant)) this.ring(tenant);
  }

  #count(tenant: string | undefined, counts: (task: Task) => boolean): number {
    return [...this.tasks.values()].filter(
      ({ task }) => (tenant === undefined || task.tenant === tenant) && counts(task),
    ).length;
  }
}

export function dueAt(record: TaskRecord): number {
  return record.task.dueAt ?? Infinity;
}

export function deadlineOf(record: TaskRecord): number {
  return record.task.leaseExpiresAt ?? Infinity;
}

/** Byte order; keys and names are ASCII. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
