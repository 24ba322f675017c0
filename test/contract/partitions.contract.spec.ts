import { crc32 } from 'node:zlib';
import {
  partitionQueue,
  sizeClass,
  type EnqueueOutcome,
  type LeasedTask,
  type NewTask,
  type Queue,
  QueueError,
  type QueueEvent,
  type QueueName,
  type Task,
} from '@app/queue';
import {
  checkInvariants,
  describeQueue,
  listAll,
  ManualClock,
  MemoryQueue,
  newTask,
  uniqueQueue,
} from '@app/queue/testing';
import { openTestQueue } from '../support/redis.js';

describeQueue('a queue that is not split', async () => {
  const clock = new ManualClock();
  const queue = partitionQueue(new MemoryQueue({ clock, random: () => 0.5 }));
  await queue.open();
  return { queue, clock, cleanup: () => queue.close() };
});

interface Backend {
  /** What partitions are queues of their own to. */
  inner: Queue;
  /** Another process's view of the same data. */
  another(): Promise<Queue>;
  clock: ManualClock;
  cleanup(): Promise<void>;
}

const PARTITIONS = 4;
const LEASE_MS = 10_000;
const NAMES = Array.from({ length: 40 }, (_, i) => `n${i}`);

/** What the documentation promises: where a tenant, an ordering key or a key belongs. */
const partitionOf = (text: string, count = PARTITIONS) => crc32(text) % count;
/** A name for each of the partitions. */
const NAME_IN = Array.from({ length: PARTITIONS }, (_, i) => NAMES.find((name) => partitionOf(name) === i)!);

describe.each<[string, () => Promise<Backend>]>([
  ['MemoryQueue', onMemory],
  ['RedisQueue', onRedis],
])('a split queue on %s', (_name, setup) => {
  let backend: Backend;
  let queue: Queue;
  let name: QueueName;

  beforeEach(async () => {
    backend = await setup();
    queue = partitionQueue(backend.inner);
    name = uniqueQueue();
    await queue.configure(name, { partitions: PARTITIONS });
  });

  afterEach(async () => {
    try {
      await checkInvariants(queue, name);
    } finally {
      await backend.cleanup();
    }
  });

  const physical = (index: number) => (index === 0 ? name : `${name}~${index}`);
  const everyPartition = () => Array.from({ length: PARTITIONS }, (_, index) => physical(index));
  const idOf = (index: number, key: string) => `${physical(index)}~${key}`;
  /** The number that an id names. */
  const partitionIn = (id: string) => (id.split('~').length === 3 ? Number(id.split('~')[1]) : 0);

  const enqueue = (tasks: readonly Partial<NewTask>[], options?: { atomic?: boolean }) =>
    queue.enqueue(
      tasks.map((task) => newTask({ queue: name, ...task })),
      options,
    );
  const add = async (...tasks: Partial<NewTask>[]): Promise<Task[]> => (await enqueue(tasks)).map(accepted);
  const lease = (max: number, request: Partial<Parameters<Queue['lease']>[0]> = {}) =>
    queue.lease({ queue: name, workerId: 'worker-1', leaseMs: LEASE_MS, max, ...request });
  const take = async (max: number, request = {}) => (await lease(max, request)).tasks;
  const complete = ({ id, leaseToken }: LeasedTask) => ({ id, leaseToken, action: 'complete' }) as const;
  const overview = async () => (await queue.overview([name]))[0]!;

  describe('where tasks are', () => {
    it('they are in all partitions, and callers see one queue', async () => {
      const tasks = await add(...Array.from({ length: 40 }, () => ({})));
      for (const part of await backend.inner.overview(everyPartition()))
        expect(part!.states.pending).toBe(10);
      expect((await overview()).states.pending).toBe(40);
      expect(new Set(tasks.map((task) => task.queue))).toEqual(new Set([name]));
      expect(new Set(tasks.map(({ id }) => id)).size).toBe(40);
    });

    it('those of a tenant are in one, whatever else they have', async () => {
      for (const tenant of NAMES) {
        const tasks = await add(
          { tenant },
          { tenant, key: 'a' + tenant },
          { tenant, orderingKey: 'o' },
          { tenant, idempotency: { key: 'i' + tenant, fingerprint: 'f' } },
        );
        expect(tasks.map(({ id }) => partitionIn(id))).toEqual(Array(4).fill(partitionOf(tenant)));
      }
    });

    it('those of an ordering key of the default tenant are in one', async () => {
      for (const orderingKey of NAMES) {
        const tasks = await add({ orderingKey }, { orderingKey, tenant: 'default', key: 'k' + orderingKey });
        expect(tasks.map(({ id }) => partitionIn(id))).toEqual(Array(2).fill(partitionOf(orderingKey)));
      }
    });

    it('those of a type go to the partitions of its queue', async () => {
      await queue.announceTypes({ routed: name });
      const outcomes = await queue.enqueue(NAMES.map((key) => ({ type: 'routed', key })));
      const tasks = outcomes.map(accepted);
      expect(tasks.map(({ id }) => id)).toEqual(NAMES.map((key) => idOf(partitionOf(key), key)));
      expect(tasks.every((task) => task.queue === name)).toBe(true);
    });

    it('a batch for several queues reaches them all', async () => {
      const other = uniqueQueue();
      const outcomes = await enqueue([{ key: 'a' }, { queue: other, key: 'a' }, { key: 'b' }]);
      expect(outcomes.map((outcome) => accepted(outcome).queue)).toEqual([name, other, name]);
      expect(accepted(outcomes[1]!).id).toBe(`${other}~a`);
    });

    it.each<[string, object]>([
      ['/tenant', { tenant: 7 }],
      ['/orderingKey', { orderingKey: {} }],
      ['/id', { key: ['k'] }],
      ['/priority', { tenant: 't', priority: 7 }],
    ])('are none where they are not valid at %s', async (pointer, task) => {
      const refusal = { code: 'invalid-task', data: { pointer } };
      await expect(enqueue([{}, task])).rejects.toMatchObject(refusal);
      await expect(enqueue([{}, task], { atomic: true })).rejects.toMatchObject(refusal);
      expect(await listAll(queue, { queue: name })).toEqual([]);
    });

    it('the name of a partition is no queue to callers', async () => {
      const queueName = `${name}~1`;
      const calls = [
        () => enqueue([{ queue: queueName }]),
        () => lease(1, { queue: queueName }),
        () => queue.settle([], { queue: queueName, workerId: 'w', max: 1, leaseMs: LEASE_MS }),
        () => queue.waitForWork([queueName], 1),
        () => queue.announceTypes({ t: queueName }),
        () => queue.list({ queue: queueName, order: 'newest', limit: 1 }),
        () => queue.overview([queueName]),
        () => queue.settings(queueName),
        () => queue.tenants(queueName, 1),
        () => queue.tenant(queueName, 't'),
        () => queue.follow({ queues: [queueName] }, { onEvents: () => undefined, onGap: () => undefined }),
        () => queue.configure(queueName, {}),
        () => queue.configureTenant(queueName, 't', {}),
        () => queue.pause(queueName),
        () => queue.resume(queueName),
        () => queue.drain(queueName),
        () => queue.purge({ queue: queueName, state: 'waiting' }),
        () => queue.deleteQueue(queueName),
        () => queue.promote(queueName),
        () => queue.reap(queueName),
        () => queue.prune(queueName),
      ];
      for (const call of calls) {
        await expect(async () => call()).rejects.toMatchObject({ kind: 'invalid' });
      }
    });
  });

  describe('repeats', () => {
    it('a task is recognised by its key and by its idempotency key', async () => {
      const tasks = NAMES.flatMap((text) => [
        { key: text },
        { idempotency: { key: text, fingerprint: 'f' } },
        { key: `t${text}`, tenant: text },
        { key: `o${text}`, orderingKey: text },
      ]);
      const first = await enqueue(tasks);
      const again = await enqueue([...tasks].reverse());
      expect(again.map((outcome) => outcome.status)).toEqual(tasks.map(() => 'replayed'));
      expect(again.reverse().map(taskOf)).toEqual(first.map(accepted));
      const others = await enqueue(NAMES.map((key) => ({ key, payload: '2' })));
      for (const outcome of others) expect(outcome).toMatchObject({ error: { code: 'id-conflict' } });
    });

    it('an atomic batch is recognised', async () => {
      const tasks = NAMES.map((key) => ({ key }));
      const first = (await enqueue(tasks, { atomic: true })).map(accepted);
      expect(new Set(first.map(({ id }) => partitionIn(id)))).toEqual(new Set([partitionOf(NAMES[0]!)]));
      const again = await enqueue(tasks, { atomic: true });
      expect(again.map((outcome) => outcome.status)).toEqual(tasks.map(() => 'replayed'));
    });

    it('a lease is, by another process too', async () => {
      await add(...NAMES.map((key) => ({ key })));
      const another = partitionQueue(await backend.another());
      const seen: string[] = [];
      for (let round = 0; seen.length < NAMES.length; round++) {
        const request = {
          queue: name,
          workerId: 'worker-1',
          leaseMs: LEASE_MS,
          max: 7,
          requestId: `r${round}`,
        };
        const { tasks } = await queue.lease(request);
        expect(tasks.length).toBeGreaterThan(0);
        expect((await queue.lease(request)).tasks).toEqual(tasks);
        expect((await another.lease(request)).tasks).toEqual(tasks);
        seen.push(...tasks.map(({ id }) => id));
      }
      expect(new Set(seen).size).toBe(NAMES.length);
    });

    it('a settlement with a lease is', async () => {
      await add(...NAMES.map((key) => ({ key })));
      const held = await take(5);
      const settlements = held.map(complete);
      const next = { queue: name, workerId: 'worker-1', leaseMs: LEASE_MS, max: 5, requestId: 'next' };
      const first = await queue.settle(settlements, next);
      expect(first.outcomes).toEqual(held.map(() => ({ status: 'settled', state: 'completed' })));
      expect(first.lease!.tasks).toHaveLength(5);
      expect(await queue.settle(settlements, next)).toEqual(first);
    });
  });

  describe('atomic batches', () => {
    it('are stored where their tenant is, with what is bound to nothing', async () => {
      const tenant = NAME_IN[2]!;
      const tasks = [{ key: 'a' }, { tenant }, {}, { tenant, orderingKey: NAME_IN[3]! }];
      const ids = (await enqueue(tasks, { atomic: true })).map((outcome) => accepted(outcome).id);
      expect(ids.map(partitionIn)).toEqual([2, 2, 2, 2]);
    });

    it('are refused when their tenants are in several partitions, and nothing is stored', async () => {
      const tasks = [{ tenant: NAME_IN[0] }, { orderingKey: NAME_IN[1] }];
      await expect(enqueue(tasks, { atomic: true })).rejects.toMatchObject({ code: 'batch-spans-queues' });
      expect(await listAll(queue, { queue: name })).toEqual([]);
    });

    it('are refused when they are for several queues', async () => {
      const tasks = [{}, { queue: uniqueQueue() }];
      await expect(enqueue(tasks, { atomic: true })).rejects.toMatchObject({ code: 'batch-spans-queues' });
    });
  });

  describe('tasks by id', () => {
    /** A task in each partition, and two ids for it: its own, and what its submitter knows. */
    const each = NAME_IN.map((key, index) => ({ key, index }));
    const idsOf = ({ key, index }: (typeof each)[number]) => [idOf(index, key), `${name}~${key}`];

    it('are found under their id and under queue~key', async () => {
      await add(...NAME_IN.map((key) => ({ key })));
      for (const { key, index } of each) {
        const found = await queue.get([...idsOf({ key, index }), `${name}~none`, idOf(1, 'none')]);
        const expected = expect.objectContaining({ id: idOf(index, key), queue: name, state: 'pending' });
        expect(found).toEqual([expected, expected, undefined, undefined]);
      }
    });

    it('are changed, cancelled, retried, awaited and removed under either', async () => {
      for (const which of [0, 1]) {
        const keys = each.map(({ key, index }) => ({ key: `${key}.${which}`, index }));
        await add(...each.map(({ key }, i) => ({ key: keys[i]!.key, orderingKey: key })));
        const ids = keys.map((key) => idsOf(key)[which]!);
        const done = keys.map(({ key, index }) =>
          expect.objectContaining({
            status: 'done',
            task: expect.objectContaining({ id: idOf(index, key), queue: name }),
          }),
        );
        expect(await queue.update(ids.map((id) => ({ id, priority: 6 })))).toEqual(done);
        const ends = Promise.all(ids.map((id) => queue.waitForEnd(id, 10_000)));
        expect(await queue.cancel(ids)).toEqual(done);
        for (const task of await ends)
          expect(task).toMatchObject({ queue: name, state: 'cancelled', priority: 6 });
        expect(await queue.retry(ids)).toEqual(done);
        const refused = await queue.remove(ids);
        for (const outcome of refused) expect(outcome).toMatchObject({ error: { code: 'wrong-state' } });
        await queue.cancel(ids);
        expect(await queue.remove(ids)).toEqual(done);
        expect(await queue.get(ids)).toEqual(ids.map(() => undefined));
      }
    });

    it('give their logs under either', async () => {
      await add(...NAME_IN.map((key) => ({ key })));
      const held = await take(PARTITIONS);
      await queue.extend(
        held.map(({ id, leaseToken }) => ({ id, leaseToken, logs: [`of ${id}`] })),
        LEASE_MS,
      );
      for (const { key, index } of each) {
        for (const id of idsOf({ key, index })) {
          expect((await queue.logs(id)).map(({ message }) => message)).toEqual([`of ${idOf(index, key)}`]);
        }
      }
    });

    it('are not found where there is no such partition', async () => {
      await add({ key: 'k' });
      for (const id of [`${name}~${PARTITIONS}~k`, `${name}~63~k`, `${name}~none`]) {
        expect(await queue.get([id])).toEqual([undefined]);
        expect(await queue.logs(id)).toEqual([]);
        expect(await queue.waitForEnd(id, 1_000)).toBeUndefined();
        const outcomes = [
          await queue.cancel([id]),
          await queue.retry([id]),
          await queue.remove([id]),
          await queue.update([{ id, priority: 1 }]),
        ];
        for (const [outcome] of outcomes)
          expect(outcome).toMatchObject({ error: { code: 'task-not-found' } });
        const [extended] = await queue.extend([{ id, leaseToken: 'x' }], LEASE_MS);
        expect(extended).toMatchObject({ status: 'refused', error: { data: { taskId: id } } });
      }
      await expect(queue.get([`${name}~64~k`])).rejects.toMatchObject({ code: 'invalid-task-id' });
    });
  });

  describe('work', () => {
    it('is found in every partition by one lease, and as much as was asked for', async () => {
      await add(...NAME_IN.flatMap((tenant) => [{ tenant }, { tenant }]));
      const first = await lease(5);
      expect(first.tasks).toHaveLength(5);
      expect(first.more).toBe(true);
      const second = await lease(5);
      expect(second).toMatchObject({ more: false });
      expect(new Set([...first.tasks, ...second.tasks].map(({ id }) => id)).size).toBe(8);
      expect(new Set(second.tasks.map((task) => task.queue))).toEqual(new Set([name]));
      expect(await lease(0)).toEqual({ tasks: [], more: false });
    });

    it('of every partition gets its turn when it is taken singly', async () => {
      await add(...NAME_IN.flatMap((tenant) => Array.from({ length: 30 }, () => ({ tenant }))));
      const seen = new Set<string>();
      for (let i = 0; i < 60; i++) seen.add((await take(1))[0]!.tenant);
      expect(seen.size).toBe(PARTITIONS);
    });

    it('of own tenants comes before that of others, in whichever partition', async () => {
      await add(
        ...NAMES.map((tenant) => ({
          tenant,
          priority: NAME_IN.includes(tenant) ? (1 as const) : (6 as const),
        })),
      );
      for (const tenant of NAME_IN) {
        const [task] = await take(1, { tenants: [tenant] });
        expect(task!.tenant).toBe(tenant);
        expect(await take(5, { tenants: [tenant], steal: false })).toEqual([]);
        const other = NAMES.findLast((each) => partitionOf(each) !== partitionOf(tenant))!;
        const stolen = await take(1, { tenants: [tenant], steal: [other] });
        expect(stolen.map((each) => each.tenant)).toEqual([other]);
        await queue.settle([{ id: stolen[0]!.id, leaseToken: stolen[0]!.leaseToken, action: 'release' }]);
      }
    });

    it('tells the time of what is due next in any partition', async () => {
      await add({ tenant: NAME_IN[1], delayMs: 5_000 }, { tenant: NAME_IN[3], delayMs: 3_000 });
      expect(await lease(10)).toEqual({ tasks: [], more: false, nextDueInMs: 3_000 });
    });

    it('wakes whoever waits, in whichever partition it appears', async () => {
      for (const tenant of NAME_IN) {
        const waiting = queue.waitForWork([uniqueQueue(), name], 10_000);
        await add({ tenant });
        expect(await waiting).toBe(name);
        expect((await take(1)).map((task) => task.tenant)).toEqual([tenant]);
      }
      expect(await queue.waitForWork([name], 1)).toBeUndefined();
    });

    it('wakes somebody else where its finder took work elsewhere', async () => {
      await add({ tenant: NAME_IN[1] });
      expect(await queue.waitForWork([name], 10_000)).toBe(name);
      await add({ tenant: NAME_IN[2] });
      // Begins with the other partition, and needs no more than what is there.
      const requestId = NAMES.find((each) => partitionOf(each) === 2)!;
      expect((await take(1, { requestId })).map((task) => task.tenant)).toEqual([NAME_IN[2]]);
      expect(await backend.inner.waitForWork([physical(1)], 10_000)).toBe(physical(1));
    });

    it('of one tenant wakes whoever serves that one only', async () => {
      for (const tenant of NAME_IN) {
        await take(1, { tenants: [tenant], steal: false });
        const waiting = queue.waitForWork([name], 10_000, undefined, [tenant]);
        await add({ tenant });
        expect(await waiting).toBe(name);
        expect(await take(1, { tenants: [tenant], steal: false })).toHaveLength(1);
      }
    });

    it('is neither lost nor doubled by many workers', async () => {
      const queues = await Promise.all(
        Array.from({ length: 4 }, async () => partitionQueue(await backend.another())),
      );
      for (let batch = 0; batch < 5; batch++) {
        await add(...Array.from({ length: 200 }, (_, i) => ({ tenant: i % 3 ? NAMES[i % 40] : undefined })));
      }
      const seen: string[] = [];
      await Promise.all(
        queues.map(async (each, worker) => {
          const next = { queue: name, workerId: `worker-${worker}`, leaseMs: LEASE_MS, max: 1 + worker * 6 };
          let held = (await each.lease(next)).tasks;
          while (held.length > 0) {
            seen.push(...held.map(({ id }) => id));
            const { outcomes, lease: more } = await each.settle(held.map(complete), next);
            for (const outcome of outcomes) expect(outcome.status).toBe('settled');
            held = more!.tasks;
          }
        }),
      );
      expect(seen).toHaveLength(1_000);
      expect(new Set(seen).size).toBe(1_000);
      expect((await overview()).states).toMatchObject({ completed: 1_000, pending: 0, running: 0 });
    });
  });

  describe('reading', () => {
    it('the overview is the sum of the partitions', async () => {
      await add(...NAMES.map((key) => ({ key, type: key })));
      backend.clock.advance(7_000);
      await add({ tenant: NAME_IN[3], delayMs: 9_000 }, { tenant: NAME_IN[1], delayMs: 4_000 });
      await queue.settle((await take(10)).map(complete));
      const whole = await overview();
      expect(whole).toMatchObject({
        queue: name,
        backlog: 32,
        states: { pending: 30, scheduled: 2, completed: 10 },
        oldestPendingAgeMs: 7_000,
        nextDueInMs: 4_000,
      });
      expect(Object.keys(whole.types)).toHaveLength(41);
      expect(whole.priorities[3].completed).toBe(10);
      backend.clock.advance(60_000);
      const { minutes, waits } = await overview();
      const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
      expect(sum(minutes.map(({ enqueued }) => enqueued))).toBe(42);
      expect(sum(minutes.map(({ completed }) => completed))).toBe(10);
      expect(new Set(minutes.map(({ at }) => at)).size).toBe(minutes.length);
      expect(sum(waits)).toBe(10);
    });

    it('a list is complete, in pages of any size', async () => {
      await add(
        ...NAMES.map((key, i) => ({ key, tenant: i % 2 ? key : undefined, type: i % 4 ? 'a' : 'b' })),
      );
      const count = async (query: object) => {
        const ids: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await queue.list({ queue: name, order: 'newest', limit: 3, ...query, cursor });
          expect(page.items.length).toBeLessThanOrEqual(3);
          expect(page.items.every((task) => task.queue === name)).toBe(true);
          ids.push(...page.items.map(({ id }) => id));
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        expect(new Set(ids).size).toBe(ids.length);
        return ids.length;
      };
      expect(await count({})).toBe(40);
      expect(await count({ order: 'oldest', state: 'pending' })).toBe(40);
      expect(await count({ type: 'b' })).toBe(10);
      expect(await count({ tenant: NAMES[1] })).toBe(1);
      expect(await count({ tenant: 'default' })).toBe(20);
      expect(await count({ state: 'completed' })).toBe(0);
    });

    it.each(['nonsense', 'W10', 'WzksbnVsbF0', 'WzAsMV0'])(
      'the cursor %j belongs to no list',
      async (cursor) => {
        const query = { queue: name, order: 'newest', limit: 1, cursor } as const;
        await expect(queue.list(query)).rejects.toMatchObject({ code: 'invalid-cursor' });
        await expect(queue.tenants(name, 1, cursor)).rejects.toMatchObject({ code: 'invalid-cursor' });
      },
    );

    it('the names of partitions are not among those of queues', async () => {
      const others = [`${name}-a`, `${name}.b`, `${name}z`];
      await enqueue(others.map((other) => ({ queue: other })));
      await add(...NAMES.map((key) => ({ key })));
      const expected = [name, ...others].sort();
      const short = new Proxy(backend.inner, {
        get: (inner, operation: keyof Queue) =>
          operation === 'queues' ? (_: number, cursor: string) => inner.queues(1, cursor) : inner[operation],
      });
      for (const [each, limit] of [1, 2, 3, 4, 100].flatMap(
        (n) =>
          [
            [queue, n],
            [partitionQueue(short), n],
          ] as const,
      )) {
        const items: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await each.queues(limit, cursor);
          expect(page.items.length).toBeGreaterThan(0);
          items.push(...page.items);
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        expect(items).toEqual(expected);
      }
    });

    it('tenants are listed by the class of their number of open tasks, each once', async () => {
      for (const [i, tenant] of NAMES.entries())
        await add(...Array.from({ length: (i % 7) + 1 }, () => ({ tenant })));
      await add(...Array.from({ length: 20 }, () => ({})));
      await queue.configureTenant(name, 'idle', { weight: 3 });
      await queue.pause(name, 'halted');
      for (const limit of [1, 5, 42, 43, 100]) {
        const items: { tenant: string; backlog: number }[] = [];
        let cursor: string | undefined;
        do {
          const page = await queue.tenants(name, limit, cursor);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          items.push(...page.items);
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        const expected = [
          { tenant: 'default', open: 20 },
          ...NAMES.map((tenant, i) => ({ tenant, open: (i % 7) + 1 })),
          { tenant: 'idle', open: 0 },
          { tenant: 'halted', open: 0 },
        ].sort((a, b) => sizeClass(b.open) - sizeClass(a.open) || (a.tenant < b.tenant ? 1 : -1));
        expect(items.map(({ tenant, backlog }) => ({ tenant, open: backlog }))).toEqual(expected);
      }
    });

    it('a tenant is seen as a whole', async () => {
      await add({ tenant: 'a' }, { tenant: 'a' }, ...NAMES.map((key) => ({ key })));
      const held = (await take(100)).length;
      expect(held).toBe(42);
      expect(await queue.tenant(name, 'a')).toMatchObject({ tenant: 'a', backlog: 0, running: 2 });
      expect(await queue.tenant(name, 'default')).toMatchObject({ running: 40, startedThisMinute: 40 });
      expect(await queue.tenant(name, 'nobody')).toMatchObject({ tenant: 'nobody', backlog: 0, running: 0 });
    });
  });

  describe('settings', () => {
    const limits = { concurrency: 10, rate: { limit: 50, perMs: 1_000, burst: 6 }, backlog: 43 };

    it('are divided among the partitions and shown undivided', async () => {
      const settings = {
        ...limits,
        priority: { policy: 'off' } as const,
        tenants: { weight: 2, backlog: 3 },
      };
      await queue.configure(name, settings);
      expect(await queue.settings(name)).toEqual({ ...settings, partitions: PARTITIONS });
      const shares = await Promise.all(everyPartition().map((each) => backend.inner.settings(each)));
      expect(shares.map(({ concurrency }) => concurrency)).toEqual([3, 3, 2, 2]);
      expect(shares.map(({ backlog }) => backlog)).toEqual([11, 11, 11, 10]);
      expect(shares.map(({ rate }) => [rate?.limit, rate?.perMs, rate?.burst])).toEqual([
        [13, 1_000, 2],
        [13, 1_000, 2],
        [12, 1_000, 1],
        [12, 1_000, 1],
      ]);
      expect(shares.map(({ tenants }) => tenants)).toEqual(shares.map(() => settings.tenants));
    });

    it('hold for the queue as a whole', async () => {
      await queue.configure(name, { concurrency: 10 });
      await add(...NAMES.map(() => ({})));
      const held = await take(100);
      expect(held).toHaveLength(10);
      await queue.settle(held.slice(0, 4).map(complete));
      expect(await take(100)).toHaveLength(4);
    });

    it.each<[string, object]>([
      ['/concurrency', { concurrency: 3 }],
      ['/rate/limit', { rate: { limit: 3, perMs: 1_000 } }],
      ['/rate/burst', { rate: { limit: 30, perMs: 1_000, burst: 3 } }],
      ['/backlog', { backlog: 3 }],
      ['/mode', { mode: 'fifo' }],
      ['/partitions', { partitions: 3 }],
      ['/partitions', { partitions: 65 }],
      ['/weight', { weight: 1 }],
    ])('are refused at %s: %j', async (pointer, settings) => {
      const refusal = { code: 'invalid-request', data: { pointer } };
      await expect(queue.configure(name, settings)).rejects.toMatchObject(refusal);
      expect(await queue.settings(name)).toEqual({ partitions: PARTITIONS });
    });

    it('of a tenant are where it is; those of the default tenant are divided', async () => {
      await queue.configureTenant(name, 'a', { concurrency: 1, weight: 5 });
      await queue.configureTenant(name, 'default', limits);
      expect((await queue.tenant(name, 'a')).settings).toEqual({ concurrency: 1, weight: 5 });
      expect((await queue.tenant(name, 'default')).settings).toEqual(limits);
      await add({ tenant: 'a' }, { tenant: 'a' }, ...NAMES.map(() => ({})));
      await expect(queue.configureTenant(name, 'default', { backlog: 3 })).rejects.toMatchObject({
        code: 'invalid-request',
        data: { pointer: '/backlog' },
      });
      await queue.configureTenant(name, 'default', { concurrency: 8 });
      expect((await take(100)).filter(({ tenant }) => tenant === 'a')).toHaveLength(1);
      expect(await queue.tenant(name, 'default')).toMatchObject({ running: 8 });
    });
  });

  describe('raising the number of partitions', () => {
    const more = 7;
    const settle = async () => queue.settle((await take(1_000)).map(complete));

    it('is for a queue in which nothing waits or runs', async () => {
      const raise = () => queue.configure(name, { partitions: more });
      await add({ tenant: NAME_IN[2], delayMs: 1_000 });
      await expect(raise()).rejects.toMatchObject({ code: 'queue-not-empty' });
      backend.clock.advance(1_000);
      const [held] = await take(1);
      await expect(raise()).rejects.toMatchObject({ code: 'queue-not-empty' });
      expect(await queue.settings(name)).toEqual({ partitions: PARTITIONS });
      await queue.settle([complete(held!)]);
      await raise();
      expect(await queue.settings(name)).toEqual({ partitions: more });
      const tasks = await add(...NAMES.map((key) => ({ key })));
      expect(tasks.map(({ id }) => partitionIn(id))).toEqual(NAMES.map((key) => partitionOf(key, more)));
      await settle();
      expect(await listAll(queue, { queue: name, state: 'completed' })).toHaveLength(41);
    });

    it('from one is the same', async () => {
      name = uniqueQueue();
      await queue.configureTenant(name, 'a', { weight: 9 });
      const [before] = await add({ key: 'before' });
      await settle();
      await queue.configure(name, { partitions: PARTITIONS, concurrency: 8 });
      expect(await queue.settings(name)).toEqual({ partitions: PARTITIONS, concurrency: 8 });
      expect((await queue.tenant(name, 'a')).settings).toEqual({ weight: 9 });
      expect((await queue.get([before!.id]))[0]).toMatchObject({ id: before!.id, state: 'completed' });
      await add(...NAMES.map((key) => ({ key })));
      expect(await take(100)).toHaveLength(8);
    });

    it('leaves tenants and pauses as they were', async () => {
      await queue.configure(name, limitsFor(8));
      for (const tenant of NAMES)
        await queue.configureTenant(name, tenant, { weight: 1 + Number(tenant.slice(1)) });
      await queue.configureTenant(name, 'default', { concurrency: 16 });
      await queue.pause(name, NAMES[5]);
      await queue.pause(name, 'default');
      await queue.pause(name);
      await queue.drain(name);
      await queue.configure(name, { ...limitsFor(14), partitions: more });
      expect(await queue.settings(name)).toEqual({ ...limitsFor(14), partitions: more });
      for (const tenant of NAMES) {
        expect(await queue.tenant(name, tenant)).toMatchObject({
          settings: { weight: 1 + Number(tenant.slice(1)) },
          paused: tenant === NAMES[5],
        });
      }
      expect(await queue.tenant(name, 'default')).toMatchObject({
        settings: { concurrency: 16 },
        paused: true,
      });
      expect(await overview()).toMatchObject({ paused: true, draining: true });
      const { items } = await queue.tenants(name, 100);
      expect(items).toHaveLength(41);
      const refused = await enqueue(NAMES.map((tenant) => ({ tenant })));
      for (const outcome of refused) expect(outcome).toMatchObject({ error: { code: 'queue-draining' } });
      await queue.resume(name);
      await add(...NAMES.map((tenant) => ({ tenant })));
      const held = await take(100);
      expect(held).toHaveLength(14);
      expect(held.map(({ tenant }) => tenant)).not.toContain(NAMES[5]);
    });

    it('again and again leaves tenants as they are then', async () => {
      const seen = () => Promise.all([...NAMES, 'default'].map((tenant) => queue.tenant(name, tenant)));
      for (const [round, partitions] of [5, 6, 7, 8, 9, 10].entries()) {
        for (const tenant of [...NAMES, 'default']) {
          await queue.configureTenant(name, tenant, round % 2 ? {} : { weight: round + 1 });
          await (round % 2 ? queue.resume(name, tenant) : queue.pause(name, tenant));
        }
        await (round % 2 ? queue.resume(name) : queue.pause(name));
        const before = await seen();
        if (round % 2 === 0) {
          // What an interrupted one leaves behind must not come back later.
          const broken = partitionQueue(failing(backend.inner, 'configure', name));
          const raised = broken.configure(name, { partitions: partitions + 1 });
          await expect(raised).rejects.toMatchObject({ kind: 'unavailable' });
        }
        await queue.configure(name, { partitions });
        expect(await seen()).toEqual(before);
        const names = Array.from({ length: partitions }, (_, index) => physical(index));
        const everywhere = await Promise.all(names.map((each) => backend.inner.tenant(each, 'default')));
        expect(everywhere).toEqual(names.map(() => before.at(-1)));
        const parts = await backend.inner.overview(names);
        expect(parts.map((part) => part!.paused)).toEqual(names.map(() => round % 2 === 0));
      }
    });

    it('is refused where the default tenant has too little to divide', async () => {
      await queue.configureTenant(name, 'default', { backlog: 4 });
      await expect(queue.configure(name, { partitions: more })).rejects.toMatchObject({
        code: 'invalid-request',
        data: { pointer: '/partitions' },
      });
      expect(await queue.settings(name)).toEqual({ partitions: PARTITIONS });
    });

    it('changes nothing for anybody where it is interrupted, and can be repeated', async () => {
      await queue.configureTenant(name, NAME_IN[1]!, { weight: 2 });
      const broken = failing(backend.inner, 'configure', physical(5));
      const raised = partitionQueue(broken).configure(name, { partitions: more });
      await expect(raised).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await queue.settings(name)).toEqual({ partitions: PARTITIONS });
      await add(...NAMES.map((tenant) => ({ tenant })));
      await settle();
      expect((await overview()).states.completed).toBe(40);
      await queue.configure(name, { partitions: more });
      expect((await queue.tenant(name, NAME_IN[1]!)).settings).toEqual({ weight: 2 });
    });

    it('is heard of by other processes', async () => {
      const another = partitionQueue(await backend.another());
      await queue.configure(name, { partitions: more });
      await another.enqueue(NAMES.map((key) => newTask({ queue: name, key })));
      const found = await queue.get(NAMES.map((key) => `${name}~${key}`));
      expect(found.map((task) => partitionIn(task!.id))).toEqual(NAMES.map((key) => partitionOf(key, more)));
    });
  });

  describe('operating', () => {
    it('a pause holds everything back until it is over, a drain everything new', async () => {
      await add(...NAMES.map((key) => ({ key })));
      await queue.pause(name);
      expect(await overview()).toMatchObject({ paused: true, draining: false });
      expect(await lease(100)).toEqual({ tasks: [], more: false });
      await queue.resume(name);
      await queue.drain(name);
      expect(await overview()).toMatchObject({ paused: false, draining: true });
      for (const outcome of await enqueue(NAMES.map((tenant) => ({ tenant })))) {
        expect(outcome).toMatchObject({ error: { code: 'queue-draining' } });
      }
      expect(await take(100)).toHaveLength(40);
    });

    it('a paused tenant is held back, the default tenant everywhere', async () => {
      await add(...NAMES.map((key) => ({ key })), ...NAMES.map((tenant) => ({ tenant })));
      await queue.pause(name, 'default');
      await queue.pause(name, NAMES[0]);
      const held = await take(100);
      expect(held.map(({ tenant }) => tenant).sort()).toEqual(NAMES.slice(1).sort());
      await queue.resume(name, 'default');
      await queue.resume(name, NAMES[0]);
      expect(await take(100)).toHaveLength(41);
    });

    it('a purge reaches every partition', async () => {
      await add(
        ...NAMES.map((key) => ({ key })),
        { tenant: NAME_IN[3] },
        { tenant: NAME_IN[2], delayMs: 1_000 },
      );
      const purge = async (request: Omit<Parameters<Queue['purge']>[0], 'queue'>) => {
        let count = 0;
        for (let more = true; more;) {
          const result = await queue.purge({ queue: name, ...request });
          count += result.count;
          more = result.more;
        }
        return count;
      };
      expect(await purge({ state: 'pending', tenant: NAME_IN[3] })).toBe(1);
      expect(await purge({ state: 'pending', tenant: 'default' })).toBe(40);
      expect(await purge({ state: 'waiting' })).toBe(1);
      expect((await overview()).states).toMatchObject({ cancelled: 42, pending: 0, scheduled: 0 });
      expect(await purge({ state: 'cancelled' })).toBe(42);
      expect(await listAll(queue, { queue: name })).toEqual([]);
    });

    it('a deleted queue is forgotten but for the number of its partitions', async () => {
      await queue.configure(name, { concurrency: 8 });
      await add(...NAMES.map((key) => ({ key })));
      const remove = async () => {
        while ((await queue.deleteQueue(name)).more);
      };
      await expect(remove()).rejects.toMatchObject({ code: 'queue-not-empty' });
      expect(await listAll(queue, { queue: name })).toHaveLength(40);
      await queue.settle((await take(8)).map(complete));
      await queue.cancel(NAMES.map((key) => `${name}~${key}`));
      await remove();
      expect(await queue.overview([name])).toEqual([undefined]);
      expect(await queue.settings(name)).toEqual({ partitions: PARTITIONS });
      expect(await listAll(queue, { queue: name })).toEqual([]);
      const tasks = await add(...NAMES.map((key) => ({ key })));
      expect(tasks.map(({ id }) => partitionIn(id))).toEqual(NAMES.map((key) => partitionOf(key)));
      expect(await take(100)).toHaveLength(40);
    });

    it('those who follow it hear of all partitions, those that are added later too', async () => {
      const events: QueueEvent[] = [];
      let heard: () => void = () => undefined;
      const until = async (count: number) => {
        while (events.length < count) await new Promise<void>((resolve) => (heard = resolve));
      };
      const follower = {
        onEvents: (more: readonly QueueEvent[]) => {
          events.push(...more);
          heard();
        },
        onGap: () => undefined,
      };
      const following = await queue.follow({ queues: [name], states: ['pending', 'cancelled'] }, follower);
      await add(...NAMES.map((key) => ({ key })));
      await until(NAMES.length);
      expect(new Set(events.map((event) => event.queue))).toEqual(new Set([name]));
      expect(events.map(({ taskId }) => taskId).sort()).toEqual(
        NAMES.map((key) => idOf(partitionOf(key), key)).sort(),
      );
      await queue.cancel(NAMES.map((key) => `${name}~${key}`));
      await until(2 * NAMES.length);
      await queue.configure(name, { partitions: 2 * PARTITIONS });
      await add(...NAMES.map((key) => ({ tenant: key })));
      await until(3 * NAMES.length);
      const again = await queue.follow({ queues: [name] }, follower, following.position);
      await add({ key: 'last' });
      await until(3 * NAMES.length + 2);
      following.stop();
      again.stop();
    });

    it('a task of it is followed under its id and under queue~key', async () => {
      const [key] = NAMES as [string];
      const [task] = await add({ key });
      for (const id of [task!.id, `${name}~${key}`]) {
        const { position, task: shown } = (await queue.snapshot(id))!;
        expect(shown).toMatchObject({ id: task!.id, queue: name, state: 'pending' });
        const told = new Promise<QueueEvent>((resolve) => {
          void queue.follow(
            { task: id },
            { onEvents: ([event]) => resolve(event!), onGap: () => undefined },
            position,
          );
        });
        const [held] = await take(1);
        expect(await told).toMatchObject({ kind: 'running', taskId: task!.id, queue: name });
        await queue.settle([{ id: held!.id, leaseToken: held!.leaseToken, action: 'release' }]);
      }
    });

    it('a deletion that is interrupted leaves nothing that nobody can reach', async () => {
      await add(...NAMES.map((key) => ({ key })));
      await queue.cancel(NAMES.map((key) => `${name}~${key}`));
      const broken = partitionQueue(failing(backend.inner, 'configure', name));
      await expect(broken.deleteQueue(name)).rejects.toMatchObject({ kind: 'unavailable' });
      for (const each of everyPartition()) expect(await listAll(backend.inner, { queue: each })).toEqual([]);
    });

    it('chores are done in every partition', async () => {
      await add(...NAME_IN.map((tenant, i) => ({ tenant, delayMs: 1_000 * (i + 1) })));
      expect(await queue.promote(name)).toEqual({ count: 0, more: false, nextInMs: 1_000 });
      backend.clock.advance(4_000);
      expect(await queue.promote(name)).toMatchObject({ count: 4, more: false });
      expect(await take(10)).toHaveLength(4);
      await queue.reap(name);
      for (let passed = 0; passed < LEASE_MS; passed += 5_000) {
        backend.clock.advance(5_000);
        await queue.reap(name);
      }
      expect((await overview()).states).toMatchObject({ pending: 4, running: 0 });
      await queue.settle((await take(10)).map(complete));
      backend.clock.advance(100 * 86_400_000);
      expect(await queue.prune(name)).toMatchObject({ count: 4, more: false });
      expect(await listAll(queue, { queue: name })).toEqual([]);
    });
  });
});

const limitsFor = (concurrency: number) => ({ concurrency });

/** The same, but one operation on one queue fails. */
function failing(inner: Queue, operation: keyof Queue, name: QueueName): Queue {
  return new Proxy(inner, {
    get: (queue, each: keyof Queue) =>
      each === operation
        ? async (first: QueueName, ...rest: unknown[]) => {
            if (first === name) throw new QueueError('store-unavailable');
            return (queue[each] as (...args: unknown[]) => unknown).call(queue, first, ...rest);
          }
        : queue[each].bind(queue),
  });
}

function taskOf(outcome: EnqueueOutcome): Task | undefined {
  return 'task' in outcome ? outcome.task : undefined;
}

function accepted(outcome: EnqueueOutcome): Task {
  if (outcome.status !== 'accepted') throw new Error(`expected accepted, got ${JSON.stringify(outcome)}`);
  return outcome.task;
}

async function onMemory(): Promise<Backend> {
  const clock = new ManualClock();
  const inner = new MemoryQueue({ clock, random: () => 0.5 });
  await inner.open();
  return { inner, another: async () => inner, clock, cleanup: () => inner.close() };
}

async function onRedis(): Promise<Backend> {
  const clock = new ManualClock();
  const { queue, another, cleanup } = await openTestQueue({ clock, random: () => 0.5 });
  return { inner: queue, another, clock, cleanup };
}
