import {
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
import { Known } from './known.js';
import { inspect, observe } from './observation.js';
import type { Pair } from './pair.js';
import { type Request, Requests } from './requests.js';
import type { RequestChoice, SettlementChoice, Step, TaskChoice } from './step.js';
import { hasEntries } from './structure.js';
import { advanceTo, LEASE_MS_MAX, loseLeases } from './time.js';

/** After so many steps everything is looked at, not only what is seen at a glance. */
const STEPS_PER_INSPECTION = 20;
const WAKE_MS = 5_000;
const DRAIN_ROUNDS_MAX = 20;

/** Plays a story to both backends and compares after each step. */
export class Player {
  readonly #known = new Known();
  readonly #requests: Requests;
  #repeat?: () => Promise<void>;
  #announced = false;

  constructor(
    private readonly pair: Pair,
    private readonly queues: readonly [QueueName, QueueName],
  ) {
    this.#requests = new Requests(pair);
  }

  async play(story: readonly Step[]): Promise<void> {
    for (const [index, step] of story.entries()) {
      await this.#take(step);
      await this.#observe(index % STEPS_PER_INSPECTION === STEPS_PER_INSPECTION - 1);
    }
    await this.#observe(true);
    await this.#drain();
    await this.#observe(true);
  }

  async #take(step: Step): Promise<void> {
    const { pair } = this;
    switch (step.do) {
      case 'enqueue':
        return this.#submit(step.tasks, step.atomic);
      case 'lease': {
        const request = this.#requests.fresh(this.queues[step.request.queue], step.request);
        return this.#mutate(() => this.#lease(request));
      }
      case 'leaseAgain': {
        const request = this.#requests.latest(this.queues[step.queue], step.worker);
        return request && this.#lease(request);
      }
      case 'settle':
        return this.#settle(step.settlements, step.next);
      case 'extend': {
        const { progress, logs } = step;
        const held = step.leases.flatMap((lease) => this.#known.leaseBy(lease));
        const extensions = held.map((lease) => ({ ...lease, progress, logs }));
        return this.#mutate(() => this.#ask('extend', (queue) => queue.extend(extensions, step.leaseMs)));
      }
      case 'cancel':
      case 'retry': {
        const ids = step.tasks.map((task) => this.#known.idBy(task, this.queues[0]));
        return this.#mutate(() => this.#ask(step.do, (queue) => queue[step.do](ids)));
      }
      case 'prune':
        return this.#mutate(() => this.#prune(this.queues[step.queue]));
      case 'promote':
      case 'reap':
        return this.#mutate(() => this.#ask(step.do, (queue) => queue[step.do](this.queues[step.queue])));
      case 'setWeight': {
        const { tenant, weight } = step;
        const name = this.queues[step.queue];
        return this.#mutate(() => this.#ask('setWeight', (queue) => queue.setWeight(name, tenant, weight)));
      }
      case 'elect':
        return this.#elect(`holder-${step.holder}`, step.ttlMs);
      case 'announce':
        this.#announced = true;
        return this.#ask('announceTypes', (queue) => queue.announceTypes({ [this.#route]: this.queues[1] }));
      case 'advance':
        return pair.forgetting.advance(step.ms);
      case 'advanceTo':
        return advanceTo(pair, this.queues[0], step.edge, step.ms);
      case 'loseLeases':
        return loseLeases(pair, this.queues[step.queue]);
      case 'repeat':
        return this.#repeat?.();
      case 'flushScripts':
        return void (await pair.store.redis.script('FLUSH'));
      case 'switchClient':
        return pair.switchClient();
      case 'waitForWork':
        return this.#waitForWork(this.queues[step.queue]);
      case 'waitForEnd':
        return this.#ask('waitForEnd', (queue) =>
          queue.waitForEnd(this.#known.idBy(step.task, this.queues[0]), 0),
        );
    }
  }

  /** A type of this story alone, since routes outlive it. */
  get #route(): string {
    return `to-${this.queues[1]}`.slice(0, 64);
  }

  async #mutate(mutation: () => Promise<void>): Promise<void> {
    this.#repeat = mutation;
    await mutation();
  }

  async #ask(question: string, ask: (queue: Queue) => Promise<unknown>): Promise<void> {
    await this.pair.ask(question, ask);
  }

  async #submit(choices: readonly TaskChoice[], atomic?: boolean): Promise<void> {
    const tasks = choices.map((choice) => this.#submission(choice));
    await this.#mutate(() => this.#enqueue(tasks, atomic));
  }

  #submission({ queue = 0, routed, runInMs, ...choice }: TaskChoice): NewTask {
    const runAtMs = runInMs === undefined ? undefined : this.pair.clock.now() + runInMs;
    // Before it is announced, the type's queue is the default one, and clients remember that for a second.
    if (routed && this.#announced) return newTask({ ...choice, runAtMs, type: this.#route });
    return newTask({ ...choice, runAtMs, queue: this.queues[queue] });
  }

  async #prune(queue: QueueName): Promise<void> {
    await this.#ask('prune', (each) => each.prune(queue));
  }

  async #enqueue(tasks: NewTask[], atomic = false): Promise<void> {
    const [outcomes = []] = await this.pair.ask('enqueue', (queue) => queue.enqueue(tasks, { atomic }));
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'refused') continue;
      this.#known.accept(outcome.task.id);
      const { idempotency } = tasks[index]!;
      if (!idempotency || outcome.status === 'replayed') continue;
      const { store, forgetting, clock } = this.pair;
      const key = queueKey(store.keyPrefix, outcome.task.queue, 'idempotency', idempotency.key);
      await forgetting.keepUntil(key, clock.now() + LIMITS.idempotencyMs);
    }
  }

  async #lease(request: Request): Promise<void> {
    if (!this.#requests.mayBeSent(request)) return;
    const leases = await this.pair.ask('lease', (queue) => queue.lease(request), withoutMore);
    await this.#receive(request, ...leases);
  }

  async #settle(choices: readonly SettlementChoice[], choice?: RequestChoice): Promise<void> {
    const settlements = choices.flatMap(({ lease, ...ending }) =>
      this.#known.leaseBy(lease).map((held) => ({ ...held, ...ending }) as Settlement),
    );
    const next = choice && this.#requests.fresh(this.queues[choice.queue], choice);
    return this.#mutate(async () => {
      if (next && !this.#requests.mayBeSent(next)) return;
      const answers = await this.pair.ask(
        'settle',
        (queue) => queue.settle(settlements, next),
        ({ outcomes, lease }) => ({ outcomes, lease: lease && withoutMore(lease) }),
      );
      const [real, ideal] = answers.map(({ lease }) => lease);
      if (next) await this.#receive(next, real, ideal);
    });
  }

  async #receive(request: Request, real?: Lease, ideal?: Lease): Promise<void> {
    if (!real || !ideal) return;
    await this.#requests.answered(request, real.tasks.length);
    this.#known.receive(real);
    if (real.more === ideal.more) return;
    // An entry that an ended task left in the middle of its lane is work to Redis until it is reached.
    expect(real.more).toBe(true);
    expect(await hasEntries(this.pair.store, request.queue)).toBe(true);
  }

  async #elect(holder: string, ttlMs: number): Promise<void> {
    const { store, forgetting, clock } = this.pair;
    const [elected] = await this.pair.ask('electForChores', (queue) => queue.electForChores(holder, ttlMs));
    if (elected) await forgetting.keepUntil(globalKey(store.keyPrefix, 'chores'), clock.now() + ttlMs);
  }

  /**
   * A worker that the oracle gives a token must get one from Redis. Redis may have one more, rung for entries
   * that stand for nothing.
   */
  async #waitForWork(queue: QueueName): Promise<void> {
    const { ideal, real, store } = this.pair;
    const rung = await ideal.waitForWork([queue], 0);
    if (rung) expect(await real.waitForWork([queue], WAKE_MS)).toBe(queue);
    else await store.redis.del(queueKey(store.keyPrefix, queue, 'wake'));
  }

  async #observe(closely: boolean): Promise<void> {
    for (const queue of this.queues) {
      const ids = this.#known.idsOf(queue);
      if (ids.length === 0) continue;
      await observe(this.pair, queue, ids);
      if (closely) await inspect(this.pair, queue, ids);
    }
  }

  /** Works until nothing is left: what was accepted ends, whatever has happened. */
  async #drain(): Promise<void> {
    for (const queue of this.queues) {
      for (let round = 0; round < DRAIN_ROUNDS_MAX; round += 1) {
        const request = this.#requests.fresh(queue, { worker: 0, max: 100, leaseMs: LEASE_MS_MAX });
        const first = this.#known.leases.length;
        await this.#lease(request);
        const settlements = this.#known.leases
          .slice(first)
          .map((lease) => ({ ...lease, action: 'complete' as const }));
        await this.#ask('settle', (each) => each.settle(settlements));
        const [overview] = await this.pair.ideal.overview([queue]);
        const { running = 0, pending = 0 } = overview?.states ?? {};
        if (running + pending === 0 && overview?.nextDueInMs === undefined) break;
        if (running > 0) await loseLeases(this.pair, queue);
        if (overview?.nextDueInMs !== undefined) {
          await this.pair.forgetting.advance(Math.max(0, overview.nextDueInMs));
        }
      }
      const tasks = await listAll(this.pair.real, { queue });
      expect(tasks.filter(({ state }) => !isTerminal(state))).toEqual([]);
      expect(await hasEntries(this.pair.store, queue)).toBe(false);
    }
  }
}

function withoutMore({ tasks, nextDueInMs }: Lease) {
  return { tasks, nextDueInMs };
}
