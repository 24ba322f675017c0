import { isDeepStrictEqual } from 'node:util';
import {
  type ChoreResult,
  isTerminal,
  type Lease,
  LIMITS,
  type NewTask,
  type Queue,
  type QueueName,
  type Settlement,
} from '@app/queue';
import { listAll, newTask } from '@app/queue/testing';
import { globalKey, queueKey } from '../../libs/queue/src/redis/keys.js';
import { forgetScripts } from '../support/redis.js';
import { checkAllowed } from './allowed.js';
import { TENANTS } from './forgetting.js';
import { Known } from './known.js';
import { hasLeftovers, readLines } from './lanes.js';
import { inspect, observe } from './observation.js';
import type { Pair } from './pair.js';
import { Registrations } from './registrations.js';
import { type Request, Requests } from './requests.js';
import type { Edge, RequestChoice, SettlementChoice, Step, TaskChoice } from './step.js';
import { advanceTo, advanceToNext, LEASE_MS_MAX, loseLeases, RETRY_AFTER_MS_MAX } from './time.js';

/** After so many steps everything is looked at, not only what is seen at a glance. */
const STEPS_PER_INSPECTION = 20;
const WAKE_MS = 5_000;
/** For a token that is there already, or is not. */
const NO_WAIT_MS = 1;
const DRAIN_ROUNDS_MAX = 100;

/** Plays a story to both backends and compares after each step. */
export class Player {
  readonly #known = new Known();
  readonly #requests: Requests;
  readonly #registrations: Registrations;
  /** Queues about which anything was said. */
  readonly #used = new Set<QueueName>();
  #repeat?: () => Promise<void>;
  #announced = false;
  /** When there may be something to take, as far as the latest lease was told. */
  #nextAt = 0;

  constructor(private readonly pair: Pair) {
    this.#requests = new Requests(pair);
    this.#registrations = new Registrations(pair);
  }

  async play(story: readonly Step[]): Promise<void> {
    for (const [index, step] of story.entries()) {
      if ('queue' in step) this.#used.add(this.pair.queues[step.queue]);
      await this.#take(step);
      await this.#observe(index % STEPS_PER_INSPECTION === STEPS_PER_INSPECTION - 1);
    }
    await this.#observe(true);
    for (const queue of this.#used) {
      await this.#lift(queue);
      await this.#drain(queue);
    }
    await this.#observe(true);
  }

  async #take(step: Step): Promise<void> {
    const { pair } = this;
    switch (step.do) {
      case 'enqueue':
        return this.#submit(step.tasks, step.atomic);
      case 'lease': {
        const request = this.#requests.fresh(pair.queues[step.request.queue], step.request);
        return this.#mutate(() => this.#lease(request, step.waits));
      }
      case 'leaseAgain': {
        const request = this.#requests.latest(pair.queues[step.queue], step.worker, step.before === true);
        return request && this.#lease({ ...request, max: step.max ?? request.max });
      }
      case 'giveUp': {
        const request = this.#requests.givenUp(pair.queues[step.request.queue], step.request);
        return this.#mutate(() => this.#lease({ ...request, max: 0 }));
      }
      case 'leaseLate': {
        const request = this.#requests.late(pair.queues[step.queue], step.worker);
        return request && this.#lease(request);
      }
      case 'settle':
        return this.#settle(step.settlements, step.next);
      case 'extend': {
        const { progress, logs } = step;
        const held = step.leases.flatMap((lease) => this.#known.leaseBy(lease));
        const extensions = held.map((lease) => ({ ...lease, progress, logs }));
        return this.#change('extend', (queue) => queue.extend(extensions, step.leaseMs));
      }
      case 'cancel':
      case 'retry':
      case 'remove': {
        const ids = step.tasks.map((task) => this.#known.idBy(task, pair.queues[0]));
        return this.#change(step.do, (queue) => queue[step.do](ids));
      }
      case 'update': {
        const changes = step.changes.map(({ task, priority, runInMs }) => ({
          id: this.#known.idBy(task, pair.queues[0]),
          priority,
          runAtMs: this.#timeIn(runInMs),
        }));
        return this.#change('update', (queue) => queue.update(changes));
      }
      case 'promote':
        return this.#mutate(() => this.#promote(pair.queues[step.queue]));
      case 'reap':
      case 'prune':
      case 'drain':
        return this.#change<unknown>(step.do, (queue) => queue[step.do](pair.queues[step.queue]));
      case 'configure':
        return this.#change('configure', (queue) => queue.configure(pair.queues[step.queue], step.settings));
      case 'configureTenant':
        return this.#change('configureTenant', (queue) =>
          queue.configureTenant(pair.queues[step.queue], step.tenant, step.settings),
        );
      case 'pause':
      case 'resume':
        return this.#change(step.do, (queue) => queue[step.do](pair.queues[step.queue], step.tenant));
      case 'purge': {
        const { state, tenant } = step;
        return this.#change('purge', (queue) =>
          queue.purge({ queue: pair.queues[step.queue], state, tenant }),
        );
      }
      case 'deleteQueue':
        return this.#mutate(() => this.#deleteQueue(pair.queues[step.queue]));
      case 'elect':
        return this.#elect(`holder-${step.holder}`, step.ttlMs);
      case 'announce':
        this.#announced = true;
        return this.#change('announceTypes', (queue) =>
          queue.announceTypes({ [this.#route]: pair.queues[1] }),
        );
      case 'advance':
        return pair.forgetting.advance(step.ms);
      case 'advanceTo':
        return this.#advanceTo(step.edge, step.ms);
      case 'loseLeases':
        return loseLeases(pair, pair.queues[step.queue]);
      case 'repeat':
        return this.#repeat?.();
      case 'loseReply':
        return pair.loseReply();
      case 'register':
      case 'deregister':
      case 'tell':
        return this.#mutate(() => this.#registrations.take(step));
      case 'flushScripts':
        return forgetScripts(pair.store.redis);
      case 'switchClient':
        return pair.switchClient();
      case 'waitForWork':
        return this.#waitForWork(pair.queues[step.queue], step.tenants);
      case 'waitForEnd': {
        const id = this.#known.idBy(step.task, pair.queues[0]);
        return void (await pair.ask('waitForEnd', (queue) => queue.waitForEnd(id, 0)));
      }
    }
  }

  /** A type of this story alone, since routes outlive it. */
  get #route(): string {
    return `to-${this.pair.queues[1]}`.slice(0, 64);
  }

  #timeIn(ms: number | undefined): number | undefined {
    return ms === undefined ? undefined : this.pair.clock.now() + ms;
  }

  async #mutate(mutation: () => Promise<void>): Promise<void> {
    this.#repeat = mutation;
    await mutation();
  }

  async #change<T>(question: string, change: (queue: Queue) => Promise<T>): Promise<void> {
    await this.#mutate(async () => void (await this.pair.change(question, change)));
  }

  async #submit(choices: readonly TaskChoice[], atomic?: boolean): Promise<void> {
    const tasks = choices.map((choice) => this.#submission(choice));
    await this.#mutate(() => this.#enqueue(tasks, atomic));
  }

  #submission({ queue = 0, routed, runInMs, ...choice }: TaskChoice): NewTask {
    const runAtMs = this.#timeIn(runInMs);
    // Before it is announced, the type's queue is the default one, and clients remember that for a second.
    if (routed && this.#announced) return newTask({ ...choice, runAtMs, type: this.#route });
    return newTask({ ...choice, runAtMs, queue: this.pair.queues[queue] });
  }

  async #enqueue(tasks: NewTask[], atomic = false): Promise<void> {
    const [outcomes = []] = await this.pair.change('enqueue', (queue) => queue.enqueue(tasks, { atomic }));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'refused') continue;
      const { id, queue } = outcome.task;
      this.#used.add(queue);
      this.#known.accept(id);
      const { idempotency } = tasks[index]!;
      if (!idempotency) continue;
      const { store, forgetting, clock } = this.pair;
      const key = queueKey(store.keyPrefix, queue, 'idempotency', idempotency.key);
      // Remembered just now, and not before.
      if ((await store.redis.pttl(key)) > 0)
        await forgetting.keepUntil(key, clock.now() + LIMITS.idempotencyMs);
    }
  }

  async #lease(request: Request, waits = false): Promise<void> {
    if (!this.#requests.mayBeSent(request)) return;
    const leases = await this.pair.change(
      'lease',
      (queue) => (waits ? queue.waitAndLease(request, NO_WAIT_MS) : queue.lease(request)),
      ({ tasks }) => tasks,
    );
    await this.#receive(request, ...leases);
  }

  async #settle(choices: readonly SettlementChoice[], choice?: RequestChoice): Promise<void> {
    const settlements = choices.flatMap(({ lease, ...ending }) =>
      this.#known.leaseBy(lease).map((held) => ({ ...held, ...ending }) as Settlement),
    );
    const next = choice && this.#requests.fresh(this.pair.queues[choice.queue], choice);
    if (next) this.#used.add(next.queue);
    return this.#mutate(async () => {
      if (next && !this.#requests.mayBeSent(next)) return;
      const answers = await this.pair.change(
        'settle',
        (queue) => queue.settle(settlements, next),
        ({ outcomes, lease }) => ({ outcomes, tasks: lease?.tasks }),
      );
      const [real, ideal] = answers.map(({ lease }) => lease);
      if (next) await this.#receive(next, real, ideal);
    });
  }

  async #receive(request: Request, real?: Lease, ideal?: Lease): Promise<void> {
    if (!real || !ideal) return;
    const { pair } = this;
    if (real.tasks.length > 0 && !this.#requests.hasTaken(request)) {
      await checkAllowed(pair.real, request, real.tasks);
    }
    await this.#requests.answered(request, real.tasks.length);
    this.#known.receive(real);
    if (real.nextDueInMs !== undefined) this.#nextAt = pair.clock.now() + real.nextDueInMs;
    await this.#compareOutlook(request.queue, real, ideal);
  }

  async #promote(queue: QueueName): Promise<void> {
    const [real, ideal] = await this.pair.change(
      'promote',
      (each) => each.promote(queue),
      ({ count, more }) => ({ count, more }),
    );
    if (real && ideal) await this.#compareOutlook(queue, real, ideal);
  }

  /** What there will be to do. To Redis the entry of an ended task is work until it is reached. */
  async #compareOutlook<T extends Lease | ChoreResult>(queue: QueueName, real: T, ideal: T): Promise<void> {
    const outlook = (answer: Partial<Lease>) => ({ ...answer, tasks: undefined });
    if (isDeepStrictEqual(outlook(real), outlook(ideal))) return;
    const tasks = await listAll(this.pair.real, { queue });
    if (!(await hasLeftovers(this.pair.store, queue, tasks))) expect(real).toEqual(ideal);
  }

  async #deleteQueue(queue: QueueName): Promise<void> {
    const { pair } = this;
    // Redis would keep what was counted in minutes that are not yet, or not again.
    if (pair.forgetting.wentBack) return;
    const [deleted] = await pair.change('deleteQueue', (each) => each.deleteQueue(queue));
    if (!deleted) return;
    // A token for work of before means nothing, and need not be kept.
    for (const tenants of [undefined, [...TENANTS]]) await this.#dropTokens(queue, tenants);
    await pair.forgetting.forgetTenants(queue);
  }

  async #elect(holder: string, ttlMs: number): Promise<void> {
    const { store, forgetting, clock } = this.pair;
    const [elected] = await this.pair.ask('electForChores', (queue) => queue.electForChores(holder, ttlMs));
    if (elected) await forgetting.keepUntil(globalKey(store.keyPrefix, 'chores'), clock.now() + ttlMs);
  }

  #advanceTo(edge: Edge, ms: number): Promise<void> {
    if (edge === 'next') return advanceTo(this.pair, this.#nextAt + ms);
    return advanceToNext(this.pair, this.pair.queues[0], edge, ms);
  }

  /**
   * A worker that the oracle gives a token must get one from Redis. Redis may have one more, rung for entries
   * that stand for nothing.
   */
  async #waitForWork(queue: QueueName, tenants?: string[]): Promise<void> {
    const { ideal, real } = this.pair;
    const rung = await ideal.waitForWork([queue], 0, undefined, tenants);
    if (rung) expect(await real.waitForWork([queue], WAKE_MS, undefined, tenants)).toBe(queue);
    else await this.#dropTokens(queue, tenants);
  }

  /** All that such a worker would get. */
  async #dropTokens(queue: QueueName, tenants?: string[]): Promise<void> {
    const { ideal, store } = this.pair;
    while (await ideal.waitForWork([queue], 0, undefined, tenants));
    const key = (tenant: string) => queueKey(store.keyPrefix, queue, 'wakeOf', tenant);
    await store.redis.del(tenants ? ['~', ...tenants].map(key) : [queueKey(store.keyPrefix, queue, 'wake')]);
  }

  async #observe(closely: boolean): Promise<void> {
    await this.#registrations.observe(closely);
    for (const queue of this.#used) {
      await observe(this.pair, queue);
      if (closely) await inspect(this.pair, queue, this.#known.idsOf(queue));
    }
  }

  /** Everybody may start everything, as far as the mode allows. */
  async #lift(queue: QueueName): Promise<void> {
    // Held back, a queue passes over nothing: what ended tasks have left would stay.
    await this.pair.forgetting.advance(RETRY_AFTER_MS_MAX);
    const { mode } = await this.pair.ideal.settings(queue);
    await this.#change('resume', (each) => each.resume(queue));
    await this.#change('configure', (each) => each.configure(queue, { mode }));
    for (const tenant of TENANTS) {
      await this.#change('resume', (each) => each.resume(queue, tenant));
      await this.#change('configureTenant', (each) => each.configureTenant(queue, tenant, {}));
    }
  }

  /** Works until nothing is left: what was accepted ends, whatever has happened. */
  async #drain(queue: QueueName): Promise<void> {
    const { pair } = this;
    for (let round = 0; round < DRAIN_ROUNDS_MAX; round += 1) {
      const request = this.#requests.fresh(queue, { worker: 0, max: 100, leaseMs: LEASE_MS_MAX });
      const first = this.#known.leases.length;
      await this.#lease(request);
      const held = this.#known.leases.slice(first);
      const settlements = held.map((lease) => ({ ...lease, action: 'complete' as const }));
      await this.#change('settle', (each) => each.settle(settlements));
      const [overview] = await pair.ideal.overview([queue]);
      const { running = 0, pending = 0 } = overview?.states ?? {};
      // The last round passes over what ended tasks have left.
      if (held.length + running + pending === 0 && overview?.nextDueInMs === undefined) break;
      if (running > 0) await loseLeases(pair, queue);
      if (held.length === 0) await this.#advanceTo('next', 0);
    }
    const tasks = await listAll(pair.real, { queue });
    expect(tasks.filter(({ state }) => !isTerminal(state))).toEqual([]);
    expect(await readLines(pair.store, queue, tasks)).toEqual([]);
  }
}
