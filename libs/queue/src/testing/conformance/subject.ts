import type { Capability } from '../../core/capabilities.js';
import type {
  Lease,
  LeasedTask,
  LeaseRequest,
  Settlement,
  SettleOutcome,
} from '../../core/ports/consumer.js';
import type { QueueOverview, TenantOverview } from '../../core/ports/inspector.js';
import type { OperateOutcome, TaskChange } from '../../core/ports/operator.js';
import type { NewTask } from '../../core/ports/producer.js';
import type { Queue } from '../../core/ports/queue.js';
import { LIMITS } from '../../core/limits.js';
import type { QueueSettings, TenantSettings } from '../../core/settings.js';
import type { QueueName, Task, TaskId, TaskState } from '../../core/task.js';
import { newTask, uniqueQueue } from '../builders.js';
import { checkInvariants } from '../invariants.js';
import type { ManualClock } from '../manual-clock.js';
import { watchRequirements } from '../watch-requirements.js';
import { needsOf } from './needs.js';

/** A backend as the suite gets it: empty, reading "now" from `clock`, with 0.5 for every random number. */
export interface QueueUnderTest {
  queue: Queue;
  clock: ManualClock;
  /** A second client of the same store. Absent: the suite uses the first one twice. */
  another?: () => Promise<Queue>;
  /**
   * False where the store forgets by its own clock (keys with a time to live), which the manual one does not
   * move. Tests of forgetting are then left out.
   */
  forgetsByClock?: boolean;
  /** How long after its end, at most, a lease is noticed to have lapsed where the reaper looks. Default 0. */
  lapseNoticedMs?: number;
  /** Sees to it that few events of a queue are kept, and says how many. Absent: `LIMITS.eventsKept`. */
  keepFewEvents?(queue: QueueName): Promise<number>;
  cleanup(): Promise<void>;
}

export type Setup = () => Promise<QueueUnderTest>;

export const LEASE_MS = 10_000;
export const WORKER = 'worker-1';
/** Long enough never to end a wait that is meant to end by an event. */
export const LONG_MS = 60_000;
export const SHORT_MS = 20;

/** The queue a test works on, with the steps most tests are made of. */
export class Subject {
  #underTest?: QueueUnderTest;
  #queue?: Queue;
  /** What the test has asked for that a backend may lack. */
  readonly #needed = new Set<Capability>();
  /** The test's own queue. */
  name: QueueName = '';

  get queue(): Queue {
    if (!this.#queue) throw new Error('only inside a test');
    return this.#queue;
  }

  get clock(): ManualClock {
    return this.#current.clock;
  }

  get now(): number {
    return this.clock.now();
  }

  get forgetsByClock(): boolean {
    return this.#current.forgetsByClock !== false;
  }

  async eventsKept(): Promise<number> {
    return (await this.#current.keepFewEvents?.(this.name)) ?? LIMITS.eventsKept;
  }

  async another(): Promise<Queue> {
    const another = await this.#current.another?.();
    return another ? this.#watch(another) : this.queue;
  }

  #watch(queue: Queue): Queue {
    return watchRequirements(queue, (capability) => this.#needed.add(capability));
  }

  async begin(setup: Setup): Promise<void> {
    this.#needed.clear();
    this.#underTest = await setup();
    this.#queue = this.#watch(this.#underTest.queue);
    this.name = uniqueQueue();
  }

  async end(): Promise<void> {
    const underTest = this.#current;
    this.#underTest = undefined;
    this.#queue = undefined;
    try {
      this.#checkNeeds();
      await checkInvariants(underTest.queue, this.name);
    } finally {
      await underTest.cleanup();
    }
  }

  /** Submits tasks that must all be accepted. */
  async add(...tasks: Partial<NewTask>[]): Promise<Task[]> {
    const outcomes = await this.queue.enqueue(tasks.map((task) => newTask({ queue: this.name, ...task })));
    return outcomes.map((outcome) => {
      if (outcome.status !== 'accepted') throw new Error(`expected accepted, got ${JSON.stringify(outcome)}`);
      return outcome.task;
    });
  }

  async addOne(task: Partial<NewTask> = {}): Promise<Task> {
    return only(await this.add(task));
  }

  request(max: number, request: Partial<LeaseRequest> = {}): LeaseRequest {
    return { queue: this.name, workerId: WORKER, leaseMs: LEASE_MS, max, ...request };
  }

  lease(max: number, request: Partial<LeaseRequest> = {}): Promise<Lease> {
    return this.queue.lease(this.request(max, request));
  }

  async take(max: number, request: Partial<LeaseRequest> = {}): Promise<LeasedTask[]> {
    return (await this.lease(max, request)).tasks;
  }

  async takeOne(request: Partial<LeaseRequest> = {}): Promise<LeasedTask> {
    return only(await this.take(1, request));
  }

  /** What a lease of so many takes, by key. */
  async keys(max: number, request: Partial<LeaseRequest> = {}): Promise<string[]> {
    return keysOf(await this.take(max, request));
  }

  /** The same by as many leases of one. */
  async keysSingly(count: number, request: Partial<LeaseRequest> = {}): Promise<string[]> {
    const keys: string[] = [];
    for (let i = 0; i < count; i += 1) keys.push(...(await this.keys(1, request)));
    return keys;
  }

  /** Tasks of a tenant: for `a` and 2, `a1` and `a2`. */
  addOf(tenant: string, count: number, task: Partial<NewTask> = {}): Promise<Task[]> {
    return this.add(
      ...Array.from({ length: count }, (_, i) => ({ tenant, key: `${tenant}${i + 1}`, ...task })),
    );
  }

  /** For `a`, the tasks `a1`, `a2` and so on, of the default tenant. */
  addMany(prefix: string, count: number, task: Partial<NewTask> = {}): Promise<Task[]> {
    return this.add(...Array.from({ length: count }, (_, i) => ({ key: `${prefix}${i + 1}`, ...task })));
  }

  /** A new task, started. Nothing else may be waiting. */
  async start(task: Partial<NewTask> = {}, request: Partial<LeaseRequest> = {}): Promise<LeasedTask> {
    await this.addOne(task);
    return this.takeOne(request);
  }

  async settle(settlement: Settlement): Promise<SettleOutcome> {
    return only((await this.queue.settle([settlement])).outcomes);
  }

  complete(leased: LeasedTask, result?: string): Promise<SettleOutcome> {
    return this.settle({ id: leased.id, leaseToken: leased.leaseToken, action: 'complete', result });
  }

  fail(
    leased: LeasedTask,
    how: Partial<Extract<Settlement, { action: 'fail' }>> = {},
  ): Promise<SettleOutcome> {
    const { id, leaseToken } = leased;
    return this.settle({ id, leaseToken, action: 'fail', error: { message: 'It broke.' }, ...how });
  }

  release({ id, leaseToken }: LeasedTask, retryAfterMs?: number): Promise<SettleOutcome> {
    return this.settle({ id, leaseToken, action: 'release', retryAfterMs });
  }

  configure(settings: QueueSettings): Promise<void> {
    return this.queue.configure(this.name, settings);
  }

  configureTenant(tenant: string, settings: TenantSettings): Promise<void> {
    return this.queue.configureTenant(this.name, tenant, settings);
  }

  async update(change: TaskChange): Promise<OperateOutcome> {
    return only(await this.queue.update([change]));
  }

  async remove(id: TaskId): Promise<OperateOutcome> {
    return only(await this.queue.remove([id]));
  }

  async overview(): Promise<QueueOverview> {
    const [found] = await this.queue.overview([this.name]);
    if (!found) throw new Error('expected an overview');
    return found;
  }

  tenant(name: string): Promise<TenantOverview> {
    return this.queue.tenant(this.name, name);
  }

  /** Waits for work of anyone, or for workers that serve these tenants only. */
  wait(tenants?: readonly string[], timeoutMs = LONG_MS): Promise<QueueName | undefined> {
    return this.queue.waitForWork([this.name], timeoutMs, undefined, tenants);
  }

  /** Uses up the token, so that only what follows can ring. Takes its time: it must not miss one on a busy machine. */
  async silence(tenants?: readonly string[]): Promise<void> {
    while ((await this.wait(tenants, 3 * SHORT_MS)) !== undefined);
  }

  async cancel(id: TaskId): Promise<OperateOutcome> {
    return only(await this.queue.cancel([id]));
  }

  async retry(id: TaskId): Promise<OperateOutcome> {
    return only(await this.queue.retry([id]));
  }

  /** The id of a task of this queue. */
  id(key: string): TaskId {
    return `${this.name}~${key}`;
  }

  async find(id: TaskId): Promise<Task | undefined> {
    return (await this.queue.get([id]))[0];
  }

  async get(id: TaskId): Promise<Task> {
    const task = await this.find(id);
    if (!task) throw new Error(`${id} is gone`);
    return task;
  }

  async stateOf(id: TaskId): Promise<TaskState> {
    return (await this.get(id)).state;
  }

  /** Everything a reader can see of a task, to prove that nothing changed. */
  async everythingOf(id: TaskId): Promise<unknown> {
    return { task: await this.find(id), logs: await this.queue.logs(id) };
  }

  /** Lets all current leases lapse and reaps them, without a gap in reaping. */
  async loseLeases(leaseMs = LEASE_MS): Promise<void> {
    await this.queue.reap(this.name);
    const lostMs = leaseMs + (this.#current.lapseNoticedMs ?? 0);
    for (let passed = 0; passed < lostMs; passed += 5_000) {
      this.clock.advance(Math.min(5_000, lostMs - passed));
      await this.queue.reap(this.name);
    }
  }

  #checkNeeds(): void {
    const named = needsOf(expect.getState().currentTestName ?? '');
    // Keys are chosen in most cases. One that is not free shows where they are not.
    named.add('free-keys');
    const unnamed = [...this.#needed].filter((capability) => !named.has(capability));
    if (unnamed.length > 0) throw new Error(`The case asks for ${unnamed.join(', ')} and does not say so.`);
  }

  get #current(): QueueUnderTest {
    if (!this.#underTest) throw new Error('only inside a test');
    return this.#underTest;
  }
}

/** A fresh backend and queue for each test of the enclosing block; afterwards the invariants must hold. */
export function useSubject(setup: Setup): Subject {
  const subject = new Subject();
  beforeEach(() => subject.begin(setup));
  afterEach(() => subject.end());
  return subject;
}

export function only<T>(items: readonly T[]): T {
  if (items.length !== 1) throw new Error(`expected one, got ${items.length}`);
  return items[0] as T;
}

/** The part of an id that a test chose. */
export function keyOf({ id }: { id: TaskId }): string {
  return id.slice(id.indexOf('~') + 1);
}

export function keysOf(tasks: readonly { id: TaskId }[]): string[] {
  return tasks.map(keyOf);
}

/** The code of an outcome's refusal; `undefined` where it was not refused. */
export function refusalOf(outcome: object | undefined): string | undefined {
  return (outcome as { error?: { code: string } } | undefined)?.error?.code;
}
