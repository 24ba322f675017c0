import { monotonicFactory } from 'ulid';
import { ALL_CAPABILITIES, type Capability } from '../core/capabilities.js';
import type { Clock } from '../core/clock.js';
import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName, DEFAULT_QUEUE, splitTaskId } from '../core/names.js';
import { checkNewTask } from '../core/new-task.js';
import type {
  ExtendOutcome,
  Extension,
  Lease,
  LeaseRequest,
  SettleOutcome,
  Settlement,
} from '../core/ports/consumer.js';
import type {
  ListQuery,
  QueueOverview,
  TaskPage,
  TenantOverview,
  TenantPage,
  WorkerActivity,
} from '../core/ports/inspector.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { EventFollower, EventPosition, EventSelection, Following } from '../core/ports/observer.js';
import type { OperateOutcome, PurgeRequest, TaskChange } from '../core/ports/operator.js';
import type { EnqueueOutcome, NewTask } from '../core/ports/producer.js';
import type { Queue } from '../core/ports/queue.js';
import type { WorkerPage, WorkerQuery } from '../core/ports/registry.js';
import { checkQueueSettings, checkTenantSettings } from '../core/check-settings.js';
import type { QueueSettings, TenantSettings } from '../core/settings.js';
import { waitThenLease } from '../core/wait-then-lease.js';
import {
  isTerminal,
  type LogLine,
  type QueueName,
  type Task,
  type TaskId,
  type TaskState,
} from '../core/task.js';
import { activity, leasedBy } from './activity.js';
import type { RegisteredWorker, WorkerCommand, WorkerRegistration } from '../core/worker.js';
import { Bells } from './bells.js';
import {
  checkChange,
  checkCount,
  checkExtension,
  checkLeaseMs,
  checkLeaseRequest,
  checkPurge,
  checkSettlement,
} from '../core/checks.js';
import { Endings } from './endings.js';
import { enqueue } from './enqueue.js';
import { Events } from './events.js';
import { lease } from './lease.js';
import { list } from './list.js';
import { promote, prune, reap } from './maintain.js';
import { FIFO_LANE } from './lanes.js';
import { cancel, notFound, remove, retry, update } from './operate.js';
import { overview } from './overview.js';
import { purge, removeEnded } from './purge.js';
import { compareText, QueueState } from './queue-state.js';
import { MemoryRegistry } from './registry.js';
import { viewTask, type TaskRecord } from './record.js';
import { extend, settle, type Addressed } from './settle.js';
import { tenantOverview, tenantPage } from './tenants.js';

export interface MemoryQueueOptions {
  clock?: Clock;
  /** In [0, 1), for the jitter of retry delays. */
  random?: () => number;
}

/**
 * The ports in plain TypeScript: for unit tests, and as the oracle that other backends are compared with. It
 * favours saying what is meant over speed, so it searches and sorts where a store would keep an index. Nothing
 * survives the process.
 */
export class MemoryQueue implements Queue {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #newId = monotonicFactory();
  readonly #queues = new Map<QueueName, QueueState>();
  readonly #routes = new Map<string, QueueName>();
  readonly #bells = new Bells();
  readonly #endings = new Endings();
  readonly #registry: MemoryRegistry;
  readonly #events = new Events();
  #chores?: { holder: string; until: number };

  constructor(options: MemoryQueueOptions = {}) {
    this.#clock = options.clock ?? { now: () => Date.now() };
    this.#registry = new MemoryRegistry(this.#clock);
    this.#random = options.random ?? Math.random;
  }

  capabilities(): ReadonlySet<Capability> {
    return ALL_CAPABILITIES;
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {
    this.#bells.close();
    this.#endings.close();
    this.#events.close();
  }

  async enqueue(tasks: readonly NewTask[], options: { atomic?: boolean } = {}): Promise<EnqueueOutcome[]> {
    if (tasks.length > LIMITS.batchTasksMax) {
      throw new QueueError('invalid-request', {
        message: `A batch must not have more than ${LIMITS.batchTasksMax} tasks.`,
      });
    }
    tasks.forEach(checkNewTask);
    const names = tasks.map((task) => task.queue ?? this.#routes.get(task.type) ?? DEFAULT_QUEUE);
    if (options.atomic && new Set(names).size > 1) throw new QueueError('batch-spans-queues');
    const submissions = tasks.map((task, index) => ({
      queue: this.#queue(names[index] ?? DEFAULT_QUEUE),
      key: task.key ?? this.#newId(),
      task,
    }));
    return enqueue(submissions, options.atomic === true, this.#clock.now());
  }

  async queueOf(type: string): Promise<QueueName> {
    return this.#routes.get(type) ?? DEFAULT_QUEUE;
  }

  async lease(request: LeaseRequest): Promise<Lease> {
    checkLeaseRequest(request);
    const requestId = request.requestId ?? (request.max === 0 ? '' : this.#newId());
    return lease(this.#queue(request.queue), { ...request, requestId }, this.#clock.now());
  }

  async settle(
    settlements: readonly Settlement[],
    next?: LeaseRequest,
  ): Promise<{ outcomes: SettleOutcome[]; lease?: Lease }> {
    settlements.forEach(checkSettlement);
    if (next) checkLeaseRequest(next);
    const addressed = this.#address(settlements);
    const outcomes = settle(addressed, this.#random, this.#clock.now());
    const taken = next && (await this.lease(next));
    for (const { queue } of addressed) queue.ringIfFreed();
    return taken ? { outcomes, lease: taken } : { outcomes };
  }

  async extend(extensions: readonly Extension[], leaseMs: number): Promise<ExtendOutcome[]> {
    checkLeaseMs(leaseMs);
    extensions.forEach(checkExtension);
    return extend(this.#address(extensions), leaseMs, this.#clock.now());
  }

  async waitForWork(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    for (const queue of queues) checkName('queue', queue, '/queue');
    tenants?.forEach((tenant, index) => checkName('tenant', tenant, `/tenants/${index}`));
    return this.#bells.wait(queues, tenants && [...tenants, FIFO_LANE.tenant], timeoutMs, signal);
  }

  async waitAndLease(request: LeaseRequest, timeoutMs: number, signal?: AbortSignal): Promise<Lease> {
    return waitThenLease(this, request, timeoutMs, signal);
  }

  async announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    for (const [type, queue] of Object.entries(routes)) {
      checkName('type', type, '/type');
      checkName('queue', queue, '/queue');
    }
    for (const [type, queue] of Object.entries(routes)) this.#routes.set(type, queue);
  }

  async get(ids: readonly TaskId[]): Promise<(Task | undefined)[]> {
    return ids.map((id) => {
      const record = this.#find(id);
      return record && viewTask(record.task);
    });
  }

  async list(query: ListQuery): Promise<TaskPage> {
    checkName('queue', query.queue, '/queue');
    return list(this.#queues.get(query.queue), query);
  }

  async logs(id: TaskId): Promise<LogLine[]> {
    return [...(this.#find(id)?.logs ?? [])];
  }

  async queues(limit: number, cursor?: QueueName): Promise<{ items: QueueName[]; nextCursor?: QueueName }> {
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    const names = [...this.#queues.values()]
      .filter((queue) => queue.isListed)
      .map((queue) => queue.name)
      .filter((name) => cursor === undefined || compareText(name, cursor) > 0)
      .sort(compareText);
    const items = names.slice(0, limit);
    return { items, nextCursor: names.length > limit ? items.at(-1) : undefined };
  }

  async overview(queues: readonly QueueName[]): Promise<(QueueOverview | undefined)[]> {
    for (const queue of queues) checkName('queue', queue, '/queue');
    return queues.map((name) => {
      const queue = this.#queues.get(name);
      return queue?.isKnown ? overview(queue, this.#clock.now()) : undefined;
    });
  }

  async settings(queue: QueueName): Promise<QueueSettings> {
    return structuredClone(this.#checked(queue).settings);
  }

  async tenants(queue: QueueName, limit: number, cursor?: string): Promise<TenantPage> {
    return tenantPage(this.#checked(queue), limit, cursor, this.#clock.now());
  }

  async tenant(queue: QueueName, tenant: string): Promise<TenantOverview> {
    return tenantOverview(this.#checked(queue, tenant), tenant, this.#clock.now());
  }

  async activity(queue: QueueName, workerIds: readonly string[]): Promise<WorkerActivity[]> {
    checkName('queue', queue, '/queue');
    checkCount('/workerIds', workerIds.length, 0, LIMITS.listLimitMax);
    workerIds.forEach((id, index) => checkName('workerId', id, `/workerIds/${index}`));
    return workerIds.map((id) => activity(this.#queue(queue), id));
  }

  async leased(queue: QueueName, workerId: string, limit: number): Promise<Task[]> {
    checkName('workerId', workerId, '/workerId');
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    const records = leasedBy(this.#checked(queue), workerId).slice(0, limit);
    return records.map(({ task }) => viewTask(task, false));
  }

  async waitForEnd(id: TaskId, timeoutMs: number, signal?: AbortSignal): Promise<Task | undefined> {
    const record = this.#find(id);
    if (record && !isTerminal(record.task.state)) await this.#endings.wait(id, timeoutMs, signal);
    return (await this.get([id]))[0];
  }

  async follow(
    selection: EventSelection,
    follower: EventFollower,
    after?: EventPosition,
  ): Promise<Following> {
    return this.#events.follow(selection, follower, after, this.#clock.now());
  }

  async snapshot(id: TaskId): Promise<{ task: Task; position: EventPosition } | undefined> {
    const record = this.#find(id);
    return record && { task: viewTask(record.task), position: this.#events.position };
  }

  async probe(): Promise<{ writeMs: number; readMs: number }> {
    return { writeMs: 0, readMs: 0 };
  }

  async cancel(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.#operate(ids, cancel);
  }

  async retry(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.#operate(ids, retry);
  }

  async update(changes: readonly TaskChange[]): Promise<OperateOutcome[]> {
    changes.forEach(checkChange);
    const now = this.#clock.now();
    return this.#address(changes).map(({ queue, key, item }) => {
      const record = queue.tasks.get(key);
      return record ? update(queue, record, item, now) : notFound(item.id);
    });
  }

  async remove(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.#operate(ids, remove);
  }

  async configure(name: QueueName, settings: QueueSettings): Promise<void> {
    checkQueueSettings(settings);
    const queue = this.#checked(name);
    if ((settings.mode === 'fifo') !== queue.isFifo && queue.open() > 0) {
      throw new QueueError('queue-not-empty');
    }
    queue.operated = true;
    queue.settings = withoutAbsent(settings);
    queue.lanes.rejoinAll();
    queue.ringIfWaiting();
  }

  async configureTenant(name: QueueName, tenant: string, settings: TenantSettings): Promise<void> {
    checkTenantSettings(settings);
    const queue = this.#checked(name, tenant);
    queue.operated = true;
    queue.tenant(tenant).settings = withoutAbsent(settings);
    queue.lanes.rejoin(tenant);
    queue.ringIfWaiting();
  }

  async pause(name: QueueName, tenant?: string): Promise<void> {
    const queue = this.#checked(name, tenant);
    queue.operated = true;
    if (tenant === undefined) queue.paused = true;
    else queue.tenant(tenant).paused = true;
  }

  async resume(name: QueueName, tenant?: string): Promise<void> {
    const queue = this.#checked(name, tenant);
    if (tenant === undefined) {
      queue.paused = false;
      queue.draining = false;
    } else {
      queue.tenant(tenant).paused = false;
      queue.lanes.rejoin(tenant);
    }
    queue.ringIfWaiting();
  }

  async drain(name: QueueName): Promise<void> {
    const queue = this.#checked(name);
    queue.operated = true;
    queue.draining = true;
  }

  async purge(request: PurgeRequest): Promise<ChoreResult> {
    checkPurge(request);
    return purge(this.#queue(request.queue), request, this.#clock.now());
  }

  async deleteQueue(name: QueueName): Promise<ChoreResult> {
    const queue = this.#checked(name);
    const removed = removeEnded(queue);
    if (removed.more) return removed;
    this.#queues.set(name, queue.afterDeletion());
    this.#events.forget(name);
    return removed;
  }

  register(worker: WorkerRegistration, ttlMs: number): Promise<RegisteredWorker> {
    return this.#registry.register(worker, ttlMs);
  }

  deregister(id: string): Promise<boolean> {
    return this.#registry.deregister(id);
  }

  tell(id: string, command?: WorkerCommand): Promise<RegisteredWorker | undefined> {
    return this.#registry.tell(id, command);
  }

  worker(id: string): Promise<RegisteredWorker | undefined> {
    return this.#registry.worker(id);
  }

  workers(query: WorkerQuery): Promise<WorkerPage> {
    return this.#registry.workers(query);
  }

  commands(): Promise<ReadonlyMap<string, WorkerCommand>> {
    return this.#registry.commands();
  }

  async promote(queue: QueueName): Promise<ChoreResult> {
    return this.#chore(queue, promote);
  }

  async reap(queue: QueueName): Promise<ChoreResult> {
    return this.#chore(queue, reap);
  }

  async prune(queue: QueueName): Promise<ChoreResult> {
    return this.#chore(queue, prune);
  }

  async electForChores(holder: string, ttlMs: number): Promise<boolean> {
    const now = this.#clock.now();
    if (this.#chores && this.#chores.holder !== holder && now < this.#chores.until) return false;
    this.#chores = { holder, until: now + ttlMs };
    return true;
  }

  #checked(name: QueueName, tenant?: string): QueueState {
    checkName('queue', name, '/queue');
    if (tenant !== undefined) checkName('tenant', tenant, '/tenant');
    return this.#queue(name);
  }

  #chore(name: QueueName, chore: (queue: QueueState, now: number) => ChoreResult): ChoreResult {
    return chore(this.#checked(name), this.#clock.now());
  }

  #operate(
    ids: readonly TaskId[],
    operation: (queue: QueueState, record: TaskRecord, now: number) => OperateOutcome,
  ): OperateOutcome[] {
    const now = this.#clock.now();
    return ids
      .map((id) => ({ id, ...splitTaskId(id) }))
      .map(({ id, queue: name, key }) => {
        const queue = this.#queue(name);
        const record = queue.tasks.get(key);
        return record ? operation(queue, record, now) : notFound(id);
      });
  }

  #address<T extends { id: TaskId }>(items: readonly T[]): Addressed<T>[] {
    return items.map((item) => {
      const { queue, key } = splitTaskId(item.id);
      return { queue: this.#queue(queue), key, item };
    });
  }

  #find(id: TaskId): TaskRecord | undefined {
    const { queue, key } = splitTaskId(id);
    return this.#queues.get(queue)?.tasks.get(key);
  }

  #queue(name: QueueName): QueueState {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new QueueState(name, {
        ring: (rung, tenant) => this.#bells.ring(rung, tenant),
        happened: (event) => {
          this.#events.record({ ...event, at: this.#clock.now() });
          if (isTerminal(event.kind as TaskState)) this.#endings.announce(event.taskId);
        },
      });
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

/** As a store keeps them: what is absent has its default, also where it was given as `undefined`. */
function withoutAbsent<T>(settings: T): T {
  return JSON.parse(JSON.stringify(settings)) as T;
}
