import { LIMITS } from '../../core/limits.js';
import type { LeasedTask } from '../../core/ports/consumer.js';
import { needs } from './needs.js';
import { useSubject, type Setup } from './subject.js';

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
