import {
  isTerminal,
  type QueueName,
  sizeClass,
  type Task,
  TERMINAL_STATES,
  type TaskState,
} from '@app/queue';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import type { TestQueue } from '../support/redis.js';
import { readLines, scopeOf } from './lanes.js';

/**
 * What must be true between the keys of a queue at any moment: an auditor that reads everything.
 *
 * @param tasks all there are
 * @throws Error naming every breach
 */
export async function checkStructure(
  store: TestQueue,
  queue: QueueName,
  tasks: readonly Task[],
): Promise<void> {
  const audit = new Audit(store, queue, tasks);
  await audit.checkLines();
  await audit.checkHolders();
  await audit.checkTenants();
  await audit.checkIndexes();
  await audit.checkTokens();
  if (audit.breaches.length > 0) throw new Error(`Keys of ${queue}:\n${audit.breaches.join('\n')}`);
}

type KeyName = Parameters<typeof queueKey>[2];

class Audit {
  readonly breaches: string[] = [];

  constructor(
    private readonly store: TestQueue,
    private readonly queue: QueueName,
    private readonly tasks: readonly Task[],
  ) {}

  /**
   * Every pending task waits in one place that is reached sometime: a lane of a tenant that is in the ring, a lane of
   * a parked one, or the list of an ordering key that somebody holds.
   */
  async checkLines(): Promise<void> {
    const lines = await readLines(this.store, this.queue, this.tasks);
    // A key that was removed and used again within a millisecond has two that are alike: the second is passed over.
    const waiting = lines.flatMap(({ entries }) => [
      ...new Set(entries.filter(({ current }) => current).map(({ key }) => key)),
    ]);
    this.#same('entries of pending tasks', waiting, this.#keysIn('pending'));
    const parked = [...(await this.#members('parked')), ...(await this.#members('review'))];
    const heads = new Map(lines.map(({ name, entries }) => [name, entries[0]!.since]));
    const isHeld = (name: string) => name.startsWith('~') || parked.includes(name.slice(2));
    const inRings = [...heads].filter(([name]) => !isHeld(name));
    this.#same(
      'held',
      await this.#scores('held'),
      [...heads].filter(([name]) => isHeld(name)).map(([name, since]) => `${name}=${since}`),
    );
    for (const priority of ['1', '2', '3', '4', '5', '6']) {
      const ofLevel = inRings.filter(([name]) => name.startsWith(priority));
      const tenants = ofLevel.map(([name]) => name.slice(2));
      this.#same(`ring ${priority}`, await this.#members('ring', priority), tenants);
      this.#same(
        `oldest ${priority}`,
        await this.#scores('oldest', priority),
        ofLevel.map(([name, since]) => `${name.slice(2)}=${since}`),
      );
      const resting = await this.#members('resting', priority);
      this.#same(
        `resting ${priority} in the ring`,
        resting.filter((tenant) => tenants.includes(tenant)),
        [],
      );
    }
    for (const tenant of new Set(this.tasks.map((task) => task.tenant))) {
      const scopes = [...heads.keys()].filter((name) => name.startsWith(`~${tenant}~`));
      this.#same(
        `asides of ${tenant}`,
        await this.store.redis.smembers(this.#key('asides', tenant)),
        scopes.map((scope) => scope.slice(tenant.length + 2)),
      );
    }
  }

  /** A holder is open; what runs holds its key; nobody waits for a key that is free. */
  async checkHolders(): Promise<void> {
    const { redis } = this.store;
    const holders = Object.entries(await redis.hgetall(this.#key('holders')));
    const isFifo = holders.some(([scope]) => scope === '~');
    if (isFifo && holders.length > 1) this.breaches.push(`${holders.length} holders of a FIFO queue`);
    for (const [scope, key] of holders) {
      const task = this.tasks.find(({ id }) => this.#keyOf(id) === key);
      if (!task || isTerminal(task.state) || (scope !== '~' && scopeOf(task) !== scope)) {
        this.breaches.push(`${key}, which is ${task?.state}, holds ${scope}`);
      }
    }
    for (const task of this.tasks.filter(({ state }) => state === 'running')) {
      const scope = isFifo ? '~' : scopeOf(task);
      const holder = holders.find(([each]) => each === scope)?.[1];
      if (scope !== undefined && holder !== this.#keyOf(task.id)) {
        this.breaches.push(`${task.id} runs while ${holder} holds ${scope}`);
      }
    }
    for (const name of await this.#members('held')) {
      if (!name.startsWith('~') || holders.some(([scope]) => scope === name.slice(1))) continue;
      this.breaches.push(`some wait for ${name}, which nobody holds`);
    }
  }

  /** What is counted of tenants is a recount. */
  async checkTenants(): Promise<void> {
    const { redis } = this.store;
    const settled = [
      ...(await redis.hkeys(this.#key('tenantSettings'))),
      ...(await redis.smembers(this.#key('pausedTenants'))),
    ];
    const tenants = [...new Set([...this.tasks.map(({ tenant }) => tenant), ...settled])];
    const counts = tenants.map((tenant) => {
      const tasks = this.tasks.filter((task) => task.tenant === tenant);
      const open = tasks.filter(({ state }) => !isTerminal(state)).length;
      return { tenant, open, running: tasks.filter(({ state }) => state === 'running').length };
    });
    const listed = counts.filter(({ tenant, open }) => open > 0 || settled.includes(tenant));
    this.#same(
      'tenants',
      await this.#scores('tenants'),
      listed.map(({ tenant, open }) => `${tenant}=${sizeClass(open)}`),
    );
    for (const { tenant, open, running } of counts) {
      const counted = await redis.hmget(this.#key('tenant', tenant), 'open', 'running');
      const given = counted.map((count) => count ?? '0').join();
      this.#same(`open and running tasks of ${tenant}`, [given], [`${open},${running}`]);
    }
  }

  async checkIndexes(): Promise<void> {
    this.#same('due', await this.#members('due'), this.#keysIn('scheduled', 'retrying'));
    this.#same('leases', await this.#members('leases'), this.#keysIn('running'));
    await this.#checkLeasedBy();
    for (const state of TERMINAL_STATES) await this.#checkFinished(state);
    const mayExpire = this.#keysIn('scheduled', 'pending');
    const expiring = (await this.#members('expiry')).filter((each) => !mayExpire.includes(each));
    this.#same('expiry of tasks that have started or ended', expiring, []);
  }

  /** Each member of the index names tasks that ended when its score says. */
  async #checkFinished(state: TaskState): Promise<void> {
    const members = await this.#scores('finished', state);
    const indexed = members.flatMap((member) => {
      const [keys, ended] = member.split('=');
      return keys!.split(' ').map((key) => `${key}=${ended}`);
    });
    const ended = this.tasks.filter((task) => task.state === state);
    this.#same(
      `${state} tasks by end`,
      indexed,
      ended.map(({ id, finishedAt }) => `${this.#keyOf(id)}=${finishedAt}`),
    );
  }

  /** What each worker has leased is what runs for it, and nobody else has an index. */
  async #checkLeasedBy(): Promise<void> {
    const start = this.#key('leasedBy');
    const indexes = (await this.store.redis.keys('*')).filter((key) => key.startsWith(start));
    const leased = await Promise.all(
      indexes.map(async (index) => {
        const worker = index.slice(start.length);
        return (await this.store.redis.smembers(index)).map((key) => `${key} by ${worker}`);
      }),
    );
    const running = this.tasks.filter(({ state }) => state === 'running');
    this.#same(
      'tasks leased by workers',
      leased.flat(),
      running.map(({ id, workerId }) => `${this.#keyOf(id)} by ${workerId}`),
    );
  }

  async checkTokens(): Promise<void> {
    const { redis } = this.store;
    const watched = await this.#members('watched');
    const lists = [this.#key('wake'), ...watched.map((tenant) => this.#key('wakeOf', tenant))];
    for (const list of lists) {
      const tokens = await redis.llen(list);
      if (tokens > 1) this.breaches.push(`${tokens} tokens in ${list}`);
    }
  }

  #same(what: string, given: readonly string[], expected: readonly string[]): void {
    const [a, b] = [[...given].sort().join(), [...expected].sort().join()];
    if (a !== b) this.breaches.push(`${what}: ${a || 'nothing'}, not ${b || 'nothing'}`);
  }

  #keysIn(...states: Task['state'][]): string[] {
    return this.tasks.filter(({ state }) => states.includes(state)).map(({ id }) => this.#keyOf(id));
  }

  #keyOf(id: string): string {
    return id.slice(this.queue.length + 1);
  }

  #key(name: KeyName, rest = ''): string {
    return queueKey(this.store.keyPrefix, this.queue, name, rest);
  }

  #members(name: KeyName, rest = ''): Promise<string[]> {
    return this.store.redis.zrange(this.#key(name, rest), '0', '-1');
  }

  /** As `<member>=<score>`. */
  async #scores(name: KeyName, rest = ''): Promise<string[]> {
    const values = await this.store.redis.zrange(this.#key(name, rest), '0', '-1', 'WITHSCORES');
    return values.flatMap((value, index) => (index % 2 === 0 ? `${value}=${values[index + 1]}` : []));
  }
}
