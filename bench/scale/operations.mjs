import { BATCH, completed, newTask, QUEUE } from './tasks.mjs';

const LEASE_MS = 30_000;
const SECOND_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * SECOND_MS;

/** Time that passes when it is told to, from now on. */
export class BenchClock {
  #ms = Date.now();

  now() {
    return this.#ms;
  }

  pass(ms) {
    this.#ms += ms;
  }
}

/**
 * Every operation of the engine, on a store that has been filled. A cycle leaves as many tasks waiting as it found, so
 * that all calls of an operation are made at the same size.
 */
export class Operations {
  /** µs of each call, by operation. */
  times = {};
  /** The same of what `finish` did. */
  endTimes = {};
  /** µs of the scripts of each call, by operation. */
  scriptTimes = {};
  #store;
  #queue;
  #clock;
  #tenantOf;
  #only;
  #stored = 0;
  #cycles = 0;

  /**
   * @param {(n: number) => string} tenantOf tenant of the n-th task that is stored
   * @param {object} [only] part of a lease request: whom to serve
   */
  constructor(store, clock, tenantOf, only) {
    this.#store = store;
    this.#queue = store.queue;
    this.#clock = clock;
    this.#tenantOf = tenantOf;
    this.#only = only;
  }

  async cycle() {
    await this.#batches();
    await this.#singles();
    await this.#operatorBatches();
    await this.#reads();
    await this.#chores();
    await this.#shiftCollector();
  }

  /** What removes many tasks, so many slices of each. Afterwards the size is another one. */
  async finish(slices) {
    this.#clock.pass(2 * DAY_MS);
    const chores = {
      prune: () => this.#queue.prune(QUEUE),
      'purge waiting': () => this.#queue.purge({ queue: QUEUE, state: 'waiting' }),
      'purge cancelled': () => this.#queue.purge({ queue: QUEUE, state: 'cancelled' }),
    };
    for (const [name, chore] of Object.entries(chores)) {
      for (let slice = 0; slice < slices; slice += 1) await this.#timed(name, chore, this.endTimes);
    }
  }

  async #batches() {
    const queue = this.#queue;
    await this.#timed('enqueue 100', () => queue.enqueue(this.#tasks(BATCH)));
    const first = await this.#timed('lease 100', () => this.#lease(BATCH));
    await this.#timed('extend 100', () => queue.extend(held(first), LEASE_MS));
    await queue.enqueue(this.#tasks(BATCH));
    const { lease } = await this.#timed('settle 100 + lease 100', () =>
      queue.settle(completed(first), this.#request(BATCH)),
    );
    const rest = await this.#lease(BATCH - lease.tasks.length);
    await this.#timed('settle 100', () => queue.settle(completed([...lease.tasks, ...rest])));
  }

  async #singles() {
    const queue = this.#queue;
    const one = () => queue.enqueue(this.#tasks(1));
    const [{ task }] = await this.#timed('enqueue 1', one);
    await this.#timed('get 1', () => queue.get([task.id]));
    const first = await this.#timed('lease 1', () => queue.lease(this.#request(1)));
    await this.#timed('extend 1', () => queue.extend(held(first.tasks), LEASE_MS));
    await one();
    const { lease } = await this.#timed('settle 1 + lease 1', () =>
      queue.settle(completed(first.tasks), this.#request(1)),
    );
    await this.#timed('settle 1', () => queue.settle(completed(lease.tasks)));
    const [{ task: changed }] = await one();
    await this.#timed('update priority 1', () => queue.update([{ id: changed.id, priority: 6 }]));
    await this.#timed('cancel 1', () => queue.cancel([changed.id]));
    const [{ task: cancelled }] = await one();
    await this.#timed('cancel 1', () => queue.cancel([cancelled.id]));
  }

  async #operatorBatches() {
    const queue = this.#queue;
    const ids = (await queue.enqueue(this.#tasks(BATCH))).map(({ task }) => task.id);
    await this.#timed('get 100', () => queue.get(ids));
    await this.#timed('update priority 100', () => queue.update(ids.map((id) => ({ id, priority: 4 }))));
    await this.#timed('cancel 100', () => queue.cancel(ids));
    await this.#timed('retry 100', () => queue.retry(ids));
    await queue.cancel(ids);
    await this.#timed('remove 100', () => queue.remove(ids));
  }

  async #reads() {
    const queue = this.#queue;
    const page = { queue: QUEUE, order: 'newest', limit: BATCH };
    await this.#timed('list 100', () => queue.list(page));
    // Looks at as many as a call may, and finds nothing.
    await this.#timed('list none of 1000', () => queue.list({ ...page, tenant: 'nobody' }));
    await this.#timed('overview', () => queue.overview([QUEUE]));
    await this.#timed('tenants 1', () => queue.tenants(QUEUE, 1));
    await this.#timed('tenants 100', () => queue.tenants(QUEUE, BATCH));
    await this.#timed('tenant', () => queue.tenant(QUEUE, this.#tenantOf(this.#stored)));
  }

  async #chores() {
    const queue = this.#queue;
    await queue.enqueue(this.#tasks(BATCH, { delayMs: SECOND_MS }));
    this.#clock.pass(SECOND_MS);
    await this.#timed('promote 100', () => toTheEnd(() => queue.promote(QUEUE)));
    await this.#timed('promote 0', () => queue.promote(QUEUE));
    await this.#lease(BATCH, { leaseMs: SECOND_MS });
    this.#clock.pass(SECOND_MS);
    await this.#timed('reap 100', () => toTheEnd(() => queue.reap(QUEUE)));
    await this.#timed('reap 0', () => queue.reap(QUEUE));
    await queue.settle(completed(await this.#lease(BATCH)));
    await this.#timed('prune 0', () => queue.prune(QUEUE));
  }

  /**
   * Redis lets Lua collect garbage with every 50th script, 50 µs here. Where a cycle's scripts are a multiple of that, it
   * would always be the same operation that pays.
   */
  async #shiftCollector() {
    this.#cycles += 1;
    for (let call = 0; call < this.#cycles % 50; call += 1) await this.#queue.promote(QUEUE);
  }

  /** One lease serves a bounded number of tenants: of many tenants it takes several. */
  async #lease(count, more) {
    const leased = [];
    while (leased.length < count) {
      const { tasks } = await this.#queue.lease({ ...this.#request(count - leased.length), ...more });
      leased.push(...tasks);
    }
    return leased;
  }

  #tasks(count, more) {
    return Array.from({ length: count }, () => newTask(this.#tenantOf(this.#stored++), more));
  }

  #request(max) {
    return { queue: QUEUE, workerId: 'bench', max, leaseMs: LEASE_MS, ...this.#only };
  }

  async #timed(name, work, times = this.times) {
    const { result, us, eachUs } = await this.#store.timed(work);
    (times[name] ??= []).push(us);
    (this.scriptTimes[name] ??= []).push(eachUs);
    return result;
  }
}

async function toTheEnd(slice) {
  while ((await slice()).more);
}

function held(tasks) {
  return tasks.map(({ id, leaseToken }) => ({ id, leaseToken }));
}
