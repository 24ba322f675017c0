import { LIMITS } from '../../core/limits.js';
import type { EnqueueOutcome, LeasedTask, NewTask } from '../../core/ports.js';
import type { QueueSettings } from '../../core/settings.js';
import { newTask } from '../builders.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, only, SHORT_MS, useSubject, WORKER, type Setup, type Subject } from './subject.js';

/** What makes a running task stop, and what becomes of it. */
const STOPS: [string, (subject: Subject, leased: LeasedTask) => Promise<unknown>][] = [
  ['completes', (subject, leased) => subject.complete(leased)],
  ['fails for good', (subject, leased) => subject.fail(leased, { retryable: false })],
  ['fails and waits for a retry', (subject, leased) => subject.fail(leased, { retryInMs: 60_000 })],
  ['fails and is retried at once', (subject, leased) => subject.fail(leased, { retryInMs: 0 })],
  ['is released', (subject, leased) => subject.release(leased)],
  ['loses its lease', (subject) => subject.loseLeases()],
];

/** Works as several workers do, with leases of several sizes, and says how many ran at most, of one kind and of all. */
async function runAll(subject: Subject, kindOf: (task: LeasedTask) => string) {
  const running: LeasedTask[] = [];
  const most: Record<string, number> = {};
  let started = 0;
  for (let round = 0; round < 200; round += 1) {
    const tasks = await subject.take(1 + (round % 5), { workerId: `worker-${round % 3}` });
    running.push(...tasks);
    started += tasks.length;
    const counts: Record<string, number> = { all: running.length };
    for (const task of running) counts[kindOf(task)] = (counts[kindOf(task)] ?? 0) + 1;
    for (const [kind, count] of Object.entries(counts)) most[kind] = Math.max(most[kind] ?? 0, count);
    const ended = running.splice(0, 1 + (round % 2));
    if (ended.length === 0) break;
    for (const task of ended) await subject.complete(task);
  }
  return { most, started };
}

export function describeConcurrency(setup: Setup): void {
  const subject = useSubject(setup);

  describe('of a queue', () => {
    const start = async (concurrency: number, tasks: number) => {
      await subject.configure({ concurrency });
      await subject.addMany('a', tasks);
      return subject.take(tasks);
    };

    it('starts no more tasks than may run at once', async () => {
      await subject.configure({ concurrency: 3 });
      await subject.addMany('a', 5);
      expect(keysOf(await subject.take(2))).toEqual(['a1', 'a2']);
      const lease = await subject.lease(5);
      expect(keysOf(lease.tasks)).toEqual(['a3']);
      expect(lease).toMatchObject({ more: false });
      expect(lease.nextDueInMs).toBeUndefined();
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
      expect(await subject.lease(0)).toEqual({ tasks: [], more: false });
    });

    needs('tenants').it('is never passed by several workers, and used up while tasks wait', async () => {
      await subject.configure({ concurrency: 4 });
      for (const tenant of ['a', 'b', 'c']) await subject.addOf(tenant, 20);
      const { most, started } = await runAll(subject, ({ tenant }) => tenant);
      expect(most['all']).toBe(4);
      expect(started).toBe(60);
    });

    it('is not passed by leases at the same time', async () => {
      await subject.configure({ concurrency: 3 });
      await subject.addMany('a', 20);
      const another = await subject.another();
      const request = { queue: subject.name, leaseMs: LEASE_MS, max: 2 };
      const leases = await Promise.all(
        [1, 2, 3, 4].map((n) => (n % 2 ? another : subject.queue).lease({ ...request, workerId: `w${n}` })),
      );
      expect(leases.flatMap(({ tasks }) => tasks)).toHaveLength(3);
    });

    it.each(STOPS)('has room again when a task %s', async (_, stop) => {
      const [leased] = await start(1, 3);
      if (!leased) throw new Error('expected one');
      expect(await subject.take(1)).toEqual([]);
      await stop(subject, leased);
      expect(await subject.take(3)).toHaveLength(1);
    });

    it.each(STOPS)('tells others when a task %s and more wait', async (_, stop) => {
      const [leased] = await start(1, 3);
      await subject.silence();
      const waiting = subject.wait();
      await stop(subject, leased as LeasedTask);
      expect(await waiting).toBe(subject.name);
    });

    it('has room in the same call for what a settlement takes next', async () => {
      const [leased] = await start(1, 3);
      const { id, leaseToken } = leased as LeasedTask;
      const next = { queue: subject.name, workerId: WORKER, max: 5, leaseMs: LEASE_MS };
      const { lease } = await subject.queue.settle([{ id, leaseToken, action: 'complete' }], next);
      expect(keysOf(lease?.tasks ?? [])).toEqual(['a2']);
      expect(lease?.more).toBe(false);
    });

    needs('tenants').it('counts tasks of every tenant and priority', async () => {
      await subject.configure({ concurrency: 2 });
      await subject.add({ tenant: 'a', priority: 1 }, { tenant: 'b', priority: 6 }, { tenant: 'c' });
      expect(await subject.take(3)).toHaveLength(2);
    });

    needs('repeatable-leases').it('is no bound for a repeated request', async () => {
      await subject.configure({ concurrency: 2 });
      await subject.addMany('a', 4);
      const first = await subject.lease(4, { requestId: 'r1' });
      expect(first.tasks).toHaveLength(2);
      expect(await subject.lease(4, { requestId: 'r1' })).toEqual(first);
    });

    it('lets fewer start once it is lowered, and ends nothing', async () => {
      const leased = await start(3, 6);
      await subject.configure({ concurrency: 1 });
      for (const task of leased.slice(0, 2)) {
        await subject.complete(task);
        expect(await subject.take(6)).toEqual([]);
      }
      await subject.complete(leased[2] as LeasedTask);
      expect(await subject.take(6)).toHaveLength(1);
    });

    it.each<[string, QueueSettings]>([
      ['raised', { concurrency: 5 }],
      ['taken away', {}],
    ])('lets more start once it is %s, and tells so', async (_, settings) => {
      await start(1, 3);
      await subject.silence();
      const waiting = subject.wait();
      await subject.configure(settings);
      expect(await waiting).toBe(subject.name);
      expect(await subject.take(3)).toHaveLength(2);
    });
  });

  needs('tenants').describe('of a tenant', () => {
    it('starts no more of its tasks than may run at once, and those of others', async () => {
      await subject.configureTenant('a', { concurrency: 2 });
      await subject.addOf('a', 4);
      await subject.addOf('b', 2);
      expect(await subject.keys(9)).toEqual(['a1', 'b1', 'a2', 'b2']);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    });

    it('is never passed by several workers, and used up while tasks wait', async () => {
      await subject.configure({ concurrency: 7, tenants: { concurrency: 2 } });
      await subject.configureTenant('c', { concurrency: 3 });
      for (const tenant of ['a', 'b', 'c']) await subject.addOf(tenant, 20);
      const { most, started } = await runAll(subject, ({ tenant }) => tenant);
      expect(most).toEqual({ all: 7, a: 2, b: 2, c: 3 });
      expect(started).toBe(60);
    });

    it('holds in all priorities together', async () => {
      await subject.configureTenant('a', { concurrency: 2 });
      await subject.add(...[6, 1, 3, 6].map((priority) => ({ tenant: 'a', priority: priority as 1 })));
      expect(await subject.take(9)).toHaveLength(2);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    });

    it.each(STOPS)('lets the next one start at once when a task %s', async (_, stop) => {
      await subject.configureTenant('a', { concurrency: 1 });
      await subject.addOf('a', 3);
      const leased = only(await subject.take(3));
      await subject.silence();
      const waiting = subject.wait();
      await stop(subject, leased);
      expect(await waiting).toBe(subject.name);
      expect(await subject.take(3)).toHaveLength(1);
    });

    it('does not end with the task of another tenant', async () => {
      await subject.configureTenant('a', { concurrency: 1 });
      await subject.addOf('a', 2);
      const other = await subject.start({ tenant: 'b', priority: 6 });
      await subject.take(1);
      expect(await subject.take(1)).toEqual([]);
      await subject.complete(other);
      expect(await subject.lease(1)).toEqual({ tasks: [], more: false });
    });

    it('wakes nobody for more tasks of a tenant that is at it', async () => {
      await subject.configureTenant('a', { concurrency: 1 });
      await subject.addOf('a', 2);
      await subject.take(2);
      await subject.silence();
      await subject.add({ tenant: 'a' }, { tenant: 'a', priority: 6 });
      expect(await subject.wait(undefined, SHORT_MS)).toBeUndefined();
      expect(await subject.lease(1)).toEqual({ tasks: [], more: false });
    });

    it('is found reached when the turn of the tenant comes', async () => {
      await subject.configureTenant('a', { concurrency: 1 });
      await subject.start({ tenant: 'a' });
      await subject.addOne({ tenant: 'a' });
      expect(await subject.lease(0)).toMatchObject({ tasks: [], more: true });
      expect(await subject.lease(1)).toEqual({ tasks: [], more: false });
      expect(await subject.lease(0)).toMatchObject({ tasks: [], more: false });
    });

    it('leaves tasks of one that is at it behind those of others, in every order of priorities', async () => {
      await subject.configureTenant('a', { concurrency: 1 });
      await subject.addOf('a', 2, { priority: 6 });
      await subject.addOf('b', 2, { priority: 1 });
      expect(await subject.keysSingly(3)).toEqual(['a1', 'b1', 'b2']);
    });

    it('lets nobody gain or lose in its share by having been at it', async () => {
      await subject.configureTenant('a', { concurrency: 1 });
      await subject.addOf('a', 5);
      await subject.addOf('b', 20);
      const first = only(await subject.take(1));
      expect(await subject.keys(10)).toEqual(['b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7', 'b8', 'b9', 'b10']);
      await subject.complete(first);
      await subject.configureTenant('a', {});
      expect(await subject.keys(4)).toEqual(['a2', 'a3', 'b11', 'a4']);
    });

    it("is the queue's for all unless a tenant has its own", async () => {
      await subject.configure({ tenants: { concurrency: 1, weight: 2 } });
      await subject.configureTenant('b', { concurrency: 2 });
      await subject.configureTenant('c', { weight: 1 });
      for (const tenant of ['a', 'b', 'c']) await subject.addOf(tenant, 3);
      expect(await subject.keys(9)).toEqual(['a1', 'b1', 'c1', 'b2']);
    });

    it.each<[string, (subject: Subject) => Promise<void>]>([
      ['its own is raised', (each) => each.configureTenant('a', { concurrency: 3 })],
      ["the queue's is taken away", (each) => each.configure({})],
    ])('lets more start once %s, and tells so', async (_, change) => {
      await subject.configure({ tenants: { concurrency: 1 } });
      await subject.addOf('a', 3);
      await subject.take(3);
      await subject.silence();
      const waiting = subject.wait();
      await change(subject);
      expect(await waiting).toBe(subject.name);
      expect(await subject.take(3)).toHaveLength(2);
    });

    it('lets fewer start once it is lowered', async () => {
      await subject.addOf('a', 6);
      const [one, two, three] = await subject.take(3);
      await subject.configureTenant('a', { concurrency: 1 });
      for (const task of [one, two]) {
        await subject.complete(task as LeasedTask);
        expect(await subject.take(6)).toEqual([]);
      }
      await subject.complete(three as LeasedTask);
      expect(await subject.take(6)).toHaveLength(1);
    });
  });
}

export function describeRates(setup: Setup): void {
  const subject = useSubject(setup);
  /** One in 100 ms, three at once after a pause. */
  const rate = { limit: 10, perMs: 1_000, burst: 3 };

  describe('of a queue', () => {
    it('starts a burst, and then one at a time, evenly', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 6);
      expect(await subject.keys(9)).toEqual(['a1', 'a2', 'a3']);
      subject.clock.advance(99);
      expect(await subject.keys(9)).toEqual([]);
      subject.clock.advance(1);
      expect(await subject.keys(9)).toEqual(['a4']);
      subject.clock.advance(200);
      expect(await subject.keys(9)).toEqual(['a5', 'a6']);
    });

    it('says when the next one may start, and that none may now', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 5);
      expect(await subject.lease(3)).toMatchObject({ more: false, nextDueInMs: 100 });
      subject.clock.advance(30);
      expect(await subject.lease(3)).toEqual({ tasks: [], more: false, nextDueInMs: 70 });
      expect(await subject.lease(0)).toEqual({ tasks: [], more: false, nextDueInMs: 70 });
      subject.clock.advance(70);
      expect(await subject.lease(0)).toEqual({ tasks: [], more: true });
    });

    it('says nothing of when where nothing waits', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 3);
      expect((await subject.lease(3)).nextDueInMs).toBeUndefined();
    });

    it('says the nearer of that and of when a task is due', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 5);
      await subject.addOne({ delayMs: 60 });
      expect((await subject.lease(3)).nextDueInMs).toBe(60);
      await subject.cancel((await subject.addOne({ delayMs: 50 })).id);
      subject.clock.advance(60);
      expect((await subject.lease(3)).nextDueInMs).toBe(40);
    });

    it('rounds up to whole milliseconds', async () => {
      await subject.configure({ rate: { limit: 3, perMs: 1_000, burst: 1 } });
      await subject.addMany('a', 3);
      expect(await subject.lease(3)).toMatchObject({ tasks: [{}], nextDueInMs: 334 });
      subject.clock.advance(333);
      expect(await subject.keys(3)).toEqual([]);
      subject.clock.advance(1);
      expect(await subject.keys(3)).toEqual(['a2']);
    });

    it('saves no more than a burst in a long pause', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 10);
      await subject.take(1);
      subject.clock.advance(3_600_000);
      expect(await subject.take(10)).toHaveLength(3);
    });

    it.each([
      [1, { limit: 1, perMs: 1_000 }],
      [1, { limit: 10, perMs: 1_000 }],
      [2, { limit: 20, perMs: 1_000 }],
      [100, { limit: 1, perMs: 1 }],
    ])('lets %d start at once where %j names no burst', async (burst, given) => {
      await subject.configure({ rate: given });
      await subject.add(...Array.from({ length: burst + 1 }, () => ({})));
      expect(await subject.take(burst + 1)).toHaveLength(burst);
    });

    it.each([1, 2, 3, 7])('lets the same start %d at a time', async (max) => {
      await subject.configure({ rate });
      await subject.addMany('a', 20);
      const starts: number[] = [];
      for (let passed = 0; passed < 600; passed += 50) {
        let tasks = 0;
        for (let i = 0; i < 7; i += max) tasks += (await subject.take(max)).length;
        starts.push(tasks);
        subject.clock.advance(50);
      }
      expect(starts).toEqual([3, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
    });

    needs('repeatable-leases').it(
      'charges nothing for a repeated request, nor for one that takes nothing',
      async () => {
        await subject.configure({ rate });
        await subject.lease(5);
        await subject.addMany('a', 5);
        const first = await subject.lease(2, { requestId: 'r1' });
        expect(await subject.lease(2, { requestId: 'r1' })).toEqual(first);
        expect(await subject.take(5)).toHaveLength(1);
      },
    );

    needs('ttl').it('charges nothing for tasks that are found expired', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 3, { ttlMs: 1 });
      await subject.addMany('b', 3);
      subject.clock.advance(1);
      expect(await subject.keys(9)).toEqual(['b1', 'b2', 'b3']);
    });

    it('gives nothing back for tasks that end or return', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 5);
      const [one, two] = await subject.take(3);
      await subject.complete(one as LeasedTask);
      await subject.release(two as LeasedTask);
      expect(await subject.take(5)).toEqual([]);
    });

    it('tells somebody else when the next one may start', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 5);
      await subject.silence();
      const waiting = subject.wait();
      await subject.take(3);
      expect(await waiting).toBe(subject.name);
      expect((await subject.lease(5)).nextDueInMs).toBe(100);
    });

    needs('concurrency-limits').it('is the lesser bound beside a concurrency, or the greater', async () => {
      await subject.configure({ rate, concurrency: 4 });
      await subject.addMany('a', 9);
      expect(await subject.take(9)).toHaveLength(3);
      subject.clock.advance(300);
      expect(await subject.lease(9)).toMatchObject({ tasks: [{}], more: false });
      expect((await subject.lease(9)).nextDueInMs).toBeUndefined();
    });

    it('can be changed and taken away', async () => {
      await subject.configure({ rate });
      await subject.addMany('a', 9);
      await subject.take(3);
      await subject.configure({ rate: { ...rate, burst: 5 } });
      expect(await subject.take(9)).toHaveLength(2);
      await subject.silence();
      const waiting = subject.wait();
      await subject.configure({});
      expect(await waiting).toBe(subject.name);
      expect(await subject.take(9)).toHaveLength(4);
    });
  });

  needs('tenants').describe('of a tenant', () => {
    it('starts a burst, and then one at a time, while others go on', async () => {
      await subject.configureTenant('a', { rate });
      await subject.addOf('a', 6);
      await subject.addOf('b', 4);
      expect(await subject.keys(9)).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'b4']);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false, nextDueInMs: 100 });
      subject.clock.advance(99);
      expect(await subject.keys(9)).toEqual([]);
      subject.clock.advance(1);
      expect(await subject.keys(9)).toEqual(['a4']);
      expect((await subject.lease(0)).nextDueInMs).toBe(100);
    });

    it('says the nearest of several times', async () => {
      await subject.configureTenant('a', { rate: { limit: 2, perMs: 1_000, burst: 1 } });
      await subject.configureTenant('b', { rate: { limit: 5, perMs: 1_000, burst: 1 } });
      for (const tenant of ['a', 'b']) await subject.addOf(tenant, 2);
      expect(await subject.lease(9)).toMatchObject({ tasks: [{}, {}], more: false, nextDueInMs: 200 });
      subject.clock.advance(200);
      expect(await subject.lease(9)).toMatchObject({ tasks: [{}], nextDueInMs: 300 });
    });

    it('is followed to the millisecond over several workers', async () => {
      await subject.configure({ tenants: { rate: { limit: 4, perMs: 1_000, burst: 2 } } });
      for (const tenant of ['a', 'b']) await subject.addOf(tenant, 20);
      const starts: string[][] = [];
      for (let i = 0; i < 5; i += 1) {
        const taken = [
          ...(await subject.keys(1, { workerId: 'w1' })),
          ...(await subject.keys(3, { workerId: 'w2' })),
        ];
        starts.push([...taken].sort());
        subject.clock.advance(250);
      }
      expect(starts).toEqual([
        ['a1', 'a2', 'b1', 'b2'],
        ['a3', 'b3'],
        ['a4', 'b4'],
        ['a5', 'b5'],
        ['a6', 'b6'],
      ]);
    });

    it('tells somebody else when the next one may start', async () => {
      await subject.configureTenant('a', { rate });
      await subject.addOf('a', 5);
      await subject.silence();
      const waiting = subject.wait();
      await subject.take(5);
      expect(await waiting).toBe(subject.name);
    });

    it('has passed also for a promotion, which tells so', async () => {
      await subject.configureTenant('a', { rate });
      await subject.addOf('a', 5);
      await subject.take(5);
      await subject.silence();
      const waiting = subject.wait();
      subject.clock.advance(100);
      expect((await subject.queue.promote(subject.name)).count).toBe(0);
      expect(await waiting).toBe(subject.name);
    });

    it('is not shortened by tasks that end', async () => {
      await subject.configureTenant('a', { rate });
      await subject.addOf('a', 5);
      for (const leased of await subject.take(5)) await subject.complete(leased);
      expect(await subject.lease(0)).toEqual({ tasks: [], more: false, nextDueInMs: 100 });
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false, nextDueInMs: 100 });
    });

    needs('concurrency-limits').it('holds together with a concurrency', async () => {
      await subject.configureTenant('a', { rate, concurrency: 2 });
      await subject.addOf('a', 9);
      const [one, two] = await subject.take(9);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
      await subject.complete(one as LeasedTask);
      await subject.complete(two as LeasedTask);
      expect(await subject.lease(9)).toMatchObject({ tasks: [{}], more: false, nextDueInMs: 100 });
    });

    it("holds together with the queue's", async () => {
      await subject.configure({ rate: { limit: 10, perMs: 1_000, burst: 5 }, tenants: { rate } });
      for (const tenant of ['a', 'b', 'c']) await subject.addOf(tenant, 4);
      expect(await subject.keys(12)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2']);
    });

    it('ends at once where it is changed or taken away', async () => {
      await subject.configure({ tenants: { rate } });
      await subject.addOf('a', 9);
      await subject.take(9);
      await subject.configureTenant('a', { rate: { ...rate, burst: 4 } });
      expect(await subject.take(9)).toHaveLength(1);
      await subject.configure({});
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false, nextDueInMs: 100 });
      await subject.configureTenant('a', {});
      expect(await subject.take(9)).toHaveLength(5);
    });

    it('is forgotten once the tenant has had nothing to do for a day', async () => {
      if (!subject.forgetsByClock) return;
      await subject.configureTenant('a', { rate: { limit: 1, perMs: LIMITS.ratePerMsMax, burst: 3 } });
      await subject.addOf('a', 3);
      for (const leased of await subject.take(3)) await subject.complete(leased);
      subject.clock.advance(LIMITS.idleTenantKeptMs);
      await subject.add(...[4, 5, 6].map((n) => ({ tenant: 'a', key: `a${n}` })));
      expect(await subject.take(3)).toHaveLength(3);
    });
  });
}

export function describeBacklog(setup: Setup): void {
  const subject = useSubject(setup);
  const submit = (tasks: Partial<NewTask>[], atomic = false) =>
    subject.queue.enqueue(
      tasks.map((task) => newTask({ queue: subject.name, ...task })),
      { atomic },
    );
  const statuses = (outcomes: EnqueueOutcome[]) =>
    outcomes.map((outcome) => (outcome.status === 'refused' ? outcome.error.code : outcome.status));
  const refused = async (task: Partial<NewTask> = {}) => {
    const outcome = only(await submit([task]));
    if (outcome.status !== 'refused') throw new Error(`expected a refusal, got ${outcome.status}`);
    return outcome.error;
  };

  needs('statistics').it('refuses what would be one too many, and stores nothing of it', async () => {
    await subject.configure({ backlog: 2 });
    await subject.add({}, {});
    expect(await refused({ key: 'late' })).toMatchObject({ code: 'backlog-full', kind: 'limited' });
    expect(await subject.find(subject.id('late'))).toBeUndefined();
    expect(await subject.overview()).toMatchObject({ backlog: 2, minutes: [{ enqueued: 2 }] });
  });

  it('counts what the same call stores before', async () => {
    await subject.configure({ backlog: 2 });
    expect(statuses(await submit([{}, { delayMs: 5 }, {}]))).toEqual([
      'accepted',
      'accepted',
      'backlog-full',
    ]);
  });

  it('counts what is scheduled, pending or retrying, and not what runs or has ended', async () => {
    await subject.configure({ backlog: 3 });
    await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
    const [a, b] = await subject.take(3);
    await subject.complete(a as LeasedTask);
    await subject.fail(b as LeasedTask, { retryInMs: 1_000 });
    expect(statuses(await submit([{ delayMs: 5 }, {}, {}]))).toEqual([
      'accepted',
      'accepted',
      'backlog-full',
    ]);
    expect((await subject.overview()).backlog).toBe(3);
  });

  it('has room again once a task has started, or was cancelled', async () => {
    await subject.configure({ backlog: 1 });
    await subject.addOne();
    await subject.takeOne();
    const { id } = await subject.addOne();
    await refused();
    await subject.cancel(id);
    await subject.addOne();
  });

  needs('tenants').it('of a tenant refuses its tasks, and not those of others', async () => {
    await subject.configure({ tenants: { backlog: 1 } });
    await subject.configureTenant('b', { backlog: 2 });
    const tasks = ['a', 'b', 'a', 'b', 'b', 'c'].map((tenant) => ({ tenant }));
    expect(statuses(await submit(tasks))).toEqual([
      'accepted',
      'accepted',
      'backlog-full',
      'accepted',
      'backlog-full',
      'accepted',
    ]);
    expect(await refused({ tenant: 'a' })).toMatchObject({ code: 'backlog-full' });
  });

  needs('tenants').it("of a tenant holds together with the queue's", async () => {
    await subject.configure({ backlog: 2, tenants: { backlog: 1 } });
    const tasks = ['a', 'a', 'b', 'c'].map((tenant) => ({ tenant }));
    expect(statuses(await submit(tasks))).toEqual(['accepted', 'backlog-full', 'accepted', 'backlog-full']);
  });

  it.each([
    [10_000, 0],
    [60_000, 1],
    [20_000, 3],
    [8_572, 7],
    [1_000, 60],
    [1_000, 100],
  ])('says to come back in %d ms where %d tasks started in the last minute', async (retryAfterMs, starts) => {
    await subject.add(...Array.from({ length: starts + 1 }, () => ({})));
    await subject.take(starts);
    await subject.configure({ backlog: 1 });
    subject.clock.advance(60_000);
    expect((await refused()).data).toMatchObject({ retryAfterMs });
    subject.clock.advance(60_000);
    expect((await refused()).data).toMatchObject({ retryAfterMs: 10_000 });
  });

  needs('atomic-batches').it('stores nothing of an atomic batch where one task is too many', async () => {
    await subject.configure({ backlog: 2 });
    await subject.addOne({ key: 'old' });
    const outcomes = await submit([{ key: 'old' }, { key: 'a' }, { key: 'b' }], true);
    expect(statuses(outcomes)).toEqual(['replayed', 'backlog-full', 'backlog-full']);
    expect((await subject.overview()).backlog).toBe(1);
  });

  needs('idempotency-keys').it('does not keep repeats from being recognised', async () => {
    await subject.configure({ backlog: 2 });
    const idempotency = { key: 'i', fingerprint: 'f' };
    await subject.add({ key: 'k' }, { idempotency });
    expect(
      statuses(
        await submit([
          { key: 'k' },
          { key: 'k', payload: '2' },
          { idempotency },
          { idempotency: { ...idempotency, fingerprint: 'g' } },
        ]),
      ),
    ).toEqual(['replayed', 'id-conflict', 'replayed', 'idempotency-mismatch']);
  });

  needs('idempotency-keys').it('uses up neither key nor idempotency key of what it refuses', async () => {
    await subject.configure({ backlog: 1 });
    const blocker = await subject.addOne();
    const task = { key: 'k', idempotency: { key: 'i', fingerprint: 'f' } };
    await refused(task);
    await subject.cancel(blocker.id);
    expect(statuses(await submit([{ ...task, payload: '2' }]))).toEqual(['accepted']);
  });

  it('is no bound for tasks that wait again', async () => {
    await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
    const [a, b] = await subject.take(2);
    await subject.configure({ backlog: 1 });
    await subject.fail(a as LeasedTask);
    await subject.cancel(subject.id('c'));
    expect(await subject.retry(subject.id('c'))).toMatchObject({ status: 'done' });
    await subject.release(b as LeasedTask);
    expect((await subject.overview()).backlog).toBe(3);
    await refused();
  });

  it('can be raised and taken away', async () => {
    await subject.configure({ backlog: 1 });
    await subject.addOne();
    await subject.configure({ backlog: 2 });
    expect(statuses(await submit([{}, {}]))).toEqual(['accepted', 'backlog-full']);
    await subject.configure({});
    await subject.add({}, {});
  });
}

export function describeHoldingBack(setup: Setup): void {
  const subject = useSubject(setup);

  needs('tenants', 'hold-back').it('starts nothing of the queue for as long as a release says', async () => {
    const leased = await subject.start({ key: 'a', tenant: 'a' });
    await subject.addOne({ key: 'b', tenant: 'b', priority: 1 });
    expect(await subject.release(leased, 500)).toEqual({ status: 'settled', state: 'pending' });
    expect(await subject.lease(5)).toEqual({ tasks: [], more: false, nextDueInMs: 500 });
    subject.clock.advance(499);
    expect(await subject.lease(5)).toEqual({ tasks: [], more: false, nextDueInMs: 1 });
    subject.clock.advance(1);
    expect(await subject.keys(5)).toEqual(['a', 'b']);
  });

  needs('hold-back').it('keeps the longest of several times', async () => {
    await subject.add({}, {}, {});
    const [one, two, three] = await subject.take(3);
    await subject.release(one as LeasedTask, 300);
    await subject.release(two as LeasedTask, 500);
    await subject.release(three as LeasedTask, 100);
    expect((await subject.lease(5)).nextDueInMs).toBe(500);
  });

  it('holds nothing back for no time, nor by a release without one', async () => {
    const leased = await subject.start();
    await subject.release(leased, 0);
    await subject.release(await subject.takeOne());
    expect(await subject.take(1)).toHaveLength(1);
  });

  needs('hold-back').it('does not begin anew where the release is repeated', async () => {
    const leased = await subject.start();
    await subject.release(leased, 500);
    subject.clock.advance(400);
    await subject.release(leased, 500);
    expect((await subject.lease(5)).nextDueInMs).toBe(100);
  });

  needs('hold-back').it('does not begin with a release that is refused', async () => {
    const leased = await subject.start();
    await subject.addOne();
    await subject.release({ ...leased, leaseToken: 'wrong' }, 500);
    expect(await subject.take(1)).toHaveLength(1);
  });

  needs('hold-back', 'cancel-running').it(
    'also begins where the released task was to be cancelled',
    async () => {
      const leased = await subject.start();
      await subject.addOne();
      await subject.cancel(leased.id);
      expect(await subject.release(leased, 500)).toMatchObject({ state: 'cancelled' });
      expect((await subject.lease(5)).nextDueInMs).toBe(500);
    },
  );

  needs('hold-back').it('keeps the settlement that says so from taking anything next', async () => {
    const { id, leaseToken } = await subject.start();
    const { lease } = await subject.queue.settle([{ id, leaseToken, action: 'release', retryAfterMs: 500 }], {
      queue: subject.name,
      workerId: WORKER,
      max: 5,
      leaseMs: LEASE_MS,
    });
    expect(lease).toEqual({ tasks: [], more: false, nextDueInMs: 500 });
  });

  needs('hold-back').it('concerns one queue, and lets go on what runs', async () => {
    const other = `${subject.name}.other`;
    await subject.add({}, {}, { queue: other });
    const [one, two] = await subject.take(2);
    await subject.release(one as LeasedTask, 500);
    expect(await subject.take(1, { queue: other })).toHaveLength(1);
    expect(await subject.complete(two as LeasedTask)).toMatchObject({ state: 'completed' });
  });

  needs('rate-limits', 'hold-back').it('ends with the later of it and of the rate', async () => {
    await subject.configure({ rate: { limit: 1, perMs: 1_000 } });
    const leased = await subject.start();
    await subject.release(leased, 400);
    expect((await subject.lease(5)).nextDueInMs).toBe(1_000);
    subject.clock.advance(1_000);
    await subject.release(await subject.takeOne(), 1_700);
    expect((await subject.lease(5)).nextDueInMs).toBe(1_700);
  });

  needs('hold-back').it.each([-1, 1.5, NaN, LIMITS.retryAfterMsMax + 1])(
    'of %d ms is refused',
    async (retryAfterMs) => {
      const leased = await subject.start();
      await expect(subject.release(leased, retryAfterMs)).rejects.toMatchObject({
        code: 'invalid-request',
        data: { pointer: '/retryAfterMs' },
      });
      expect(await subject.stateOf(leased.id)).toBe('running');
    },
  );
}
