import type { LeasedTask } from '../../core/ports/consumer.js';
import type { QueueSettings } from '../../core/settings.js';
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
