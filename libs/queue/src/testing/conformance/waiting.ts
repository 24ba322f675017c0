import type { Lease, LeasedTask, LeaseRequest } from '../../core/ports/consumer.js';
import { uniqueQueue } from '../builders.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, LONG_MS, SHORT_MS, useSubject, type Setup } from './subject.js';

export function describeWaiting(setup: Setup): void {
  const subject = useSubject(setup);
  let held: LeasedTask;
  /** Starts a task that is `held` then; its id. */
  const start = async () => {
    held = await subject.start();
    return held.id;
  };

  describe('for work', () => {
    const wait = (timeoutMs = LONG_MS, signal?: AbortSignal) =>
      subject.queue.waitForWork([subject.name], timeoutMs, signal);

    it('ends with nothing after the timeout', async () => {
      expect(await wait(SHORT_MS)).toBeUndefined();
    });

    it('ends with nothing on abort, before and during the wait', async () => {
      expect(await wait(LONG_MS, AbortSignal.abort())).toBeUndefined();
      const controller = new AbortController();
      const waiting = wait(LONG_MS, controller.signal);
      setImmediate(() => controller.abort());
      expect(await waiting).toBeUndefined();
    });

    it('loses no token to a wait that was aborted', async () => {
      const controller = new AbortController();
      const waiting = wait(LONG_MS, controller.signal);
      controller.abort();
      await waiting;
      await subject.addOne();
      expect(await wait()).toBe(subject.name);
    });

    it('ends at once where work arrived before it began', async () => {
      await subject.addOne();
      expect(await wait()).toBe(subject.name);
    });

    it('ends when work arrives', async () => {
      const waiting = wait();
      await subject.addOne();
      expect(await waiting).toBe(subject.name);
      expect(await subject.take(1)).toHaveLength(1);
    });

    it('names the queue that has work', async () => {
      const names = [uniqueQueue(), uniqueQueue(), uniqueQueue()];
      const waiting = subject.queue.waitForWork(names, LONG_MS);
      await subject.addOne({ queue: names[1] });
      expect(await waiting).toBe(names[1]);
    });

    it('hears of each queue where several have work', async () => {
      const names = [uniqueQueue(), uniqueQueue()];
      await subject.add({ queue: names[0] }, { queue: names[1] });
      const heard = [
        await subject.queue.waitForWork(names, LONG_MS),
        await subject.queue.waitForWork(names, LONG_MS),
      ];
      expect(new Set(heard)).toEqual(new Set(names));
    });

    it('is not ended by work of another queue', async () => {
      await subject.addOne({ queue: uniqueQueue() });
      expect(await wait(SHORT_MS)).toBeUndefined();
    });

    needs('wake-tokens').it('of several ends once for one submission', async () => {
      const controller = new AbortController();
      const another = await subject.another();
      const waits = [
        wait(LONG_MS, controller.signal),
        another.waitForWork([subject.name], LONG_MS, controller.signal),
        wait(LONG_MS, controller.signal),
      ];
      await subject.add({}, {}, {});
      expect(await Promise.race(waits)).toBe(subject.name);
      controller.abort();
      const woken = (await Promise.all(waits)).filter((queue) => queue !== undefined);
      expect(woken).toEqual([subject.name]);
    });

    needs('wake-tokens').it('leaves one token however much work arrives', async () => {
      await subject.add({}, {});
      await subject.addOne();
      expect(await wait()).toBe(subject.name);
      expect(await wait(SHORT_MS)).toBeUndefined();
    });

    needs('wake-tokens').it('is passed on by a lease that leaves work behind', async () => {
      await subject.add({}, {});
      const waits = [wait(), wait()];
      await Promise.race(waits);
      await subject.take(1);
      expect(await Promise.all(waits)).toEqual([subject.name, subject.name]);
    });

    needs('wake-tokens').it('is passed on by a lease that takes nothing', async () => {
      await subject.addOne();
      await wait();
      await subject.lease(0);
      expect(await wait()).toBe(subject.name);
    });

    needs('wake-tokens').it('is not passed on where nothing is left', async () => {
      await subject.addOne();
      await wait();
      await subject.take(1);
      expect(await wait(SHORT_MS)).toBeUndefined();
    });

    needs('wake-tokens').it('is passed on by the lease that comes with a settlement', async () => {
      const leased = await subject.start();
      await subject.add({}, {});
      await wait();
      const { id, leaseToken } = leased;
      await subject.queue.settle([{ id, leaseToken, action: 'complete' }], {
        queue: subject.name,
        workerId: 'w',
        max: 1,
        leaseMs: LEASE_MS,
      });
      expect(await wait()).toBe(subject.name);
    });

    it.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
      ['a release', start, () => subject.release(held)],
      ['a failure without delay', start, () => subject.fail(held, { retryInMs: 0 })],
      ['a failure with the nearest retry', start, () => subject.fail(held, { retryInMs: 50 })],
      ['a lost lease', async () => void (await subject.start()), () => subject.loseLeases()],
      [
        'a promotion',
        async () => void (await subject.addOne({ delayMs: 10 })),
        () => {
          subject.clock.advance(10);
          return subject.queue.promote(subject.name);
        },
      ],
      [
        "an operator's retry",
        async () => void (await subject.cancel((await subject.addOne({ key: 'k' })).id)),
        () => subject.retry(`${subject.name}~k`),
      ],
      [
        'a task that is due before all others',
        () => Promise.resolve(),
        () => subject.addOne({ delayMs: 10 }),
      ],
    ])('is ended by %s', async (_, prepare, ring) => {
      await prepare();
      await subject.silence();
      const waiting = wait();
      await ring();
      expect(await waiting).toBe(subject.name);
    });

    needs('wake-tokens').it('is ended by nothing that leaves no work and no nearer due time', async () => {
      await subject.add({ key: 'd', delayMs: 10 }, {}, {});
      const [a, b] = await subject.take(2);
      if (!a || !b) throw new Error('expected two');
      await subject.silence();
      await subject.queue.extend([a, b], LEASE_MS);
      await subject.complete(a);
      await subject.fail(b, { retryable: false });
      await subject.addOne({ delayMs: 20 });
      await subject.cancel(`${subject.name}~d`);
      await subject.queue.promote(subject.name);
      await subject.queue.reap(subject.name);
      expect(await wait(SHORT_MS)).toBeUndefined();
    });

    needs('wake-tokens').it(
      'is ended by a promotion where a worker took the token and was never heard of again',
      async () => {
        await subject.addOne();
        await wait();
        await subject.queue.promote(subject.name);
        expect(await wait()).toBe(subject.name);
      },
    );

    needs('wake-tokens').it('is not ended by a promotion where nothing may start', async () => {
      await subject.addOne();
      await subject.queue.pause(subject.name);
      await wait();
      await subject.queue.promote(subject.name);
      expect(await wait(SHORT_MS)).toBeUndefined();
    });

    it('tells an idle worker when the next task is due', async () => {
      const waiting = wait();
      await subject.addOne({ delayMs: 400 });
      await waiting;
      expect((await subject.lease(5)).nextDueInMs).toBe(400);
    });

    it('ends with nothing when the queue is closed', async () => {
      const closing = await subject.another();
      if (closing === subject.queue) return;
      const waiting = closing.waitForWork([subject.name], LONG_MS);
      await closing.close();
      expect(await waiting).toBeUndefined();
    });
  });

  describe('for work, with a lease that follows', () => {
    const wait = (max = 1, request: Partial<LeaseRequest> = {}, timeoutMs = LONG_MS, signal?: AbortSignal) =>
      subject.queue.waitAndLease(subject.request(max, request), timeoutMs, signal);
    const takenBy = ({ tasks }: Lease) => keysOf(tasks);

    it('takes what waits already', async () => {
      await subject.addMany('a', 3);
      expect(takenBy(await wait(2))).toEqual(['a1', 'a2']);
    });

    it('takes what arrives', async () => {
      const waiting = wait();
      await subject.addOne({ key: 'a' });
      expect(takenBy(await waiting)).toEqual(['a']);
    });

    it('takes what nobody was woken for, after the timeout and on abort', async () => {
      await subject.addMany('a', 3);
      await subject.silence();
      expect(takenBy(await wait(1, {}, SHORT_MS))).toEqual(['a1']);
      await subject.silence();
      expect(takenBy(await wait(1, {}, LONG_MS, AbortSignal.abort()))).toEqual(['a2']);
      const controller = new AbortController();
      await subject.silence();
      const waiting = wait(1, {}, LONG_MS, controller.signal);
      setImmediate(() => controller.abort());
      expect(takenBy(await waiting)).toEqual(['a3']);
    });

    it('takes nothing after the timeout where there is nothing, and says when there will be', async () => {
      await subject.addOne({ delayMs: 400 });
      expect(await wait(1, {}, SHORT_MS)).toMatchObject({ tasks: [], more: false, nextDueInMs: 400 });
    });

    it('takes nothing from a queue that is paused', async () => {
      await subject.queue.pause(subject.name);
      await subject.addOne();
      expect(takenBy(await wait(1, {}, SHORT_MS))).toEqual([]);
    });

    it('of several that wait takes each task once', async () => {
      const another = await subject.another();
      const waits = [wait(), another.waitAndLease(subject.request(1), LONG_MS), wait()];
      await subject.addMany('a', 3);
      const taken = (await Promise.all(waits)).flatMap(takenBy);
      expect([...taken, ...(await subject.keys(3))].sort()).toEqual(['a1', 'a2', 'a3']);
    });

    needs('wake-tokens').it('passes the token on where it leaves work behind', async () => {
      const waits = [wait(), wait()];
      await subject.addMany('a', 2);
      expect((await Promise.all(waits)).flatMap(takenBy).sort()).toEqual(['a1', 'a2']);
    });

    it('goes on where others begin to wait or stop, for this queue or another', async () => {
      const waiting = wait(1, {}, 4 * SHORT_MS);
      await new Promise(setImmediate);
      const controller = new AbortController();
      const others = [
        subject.queue.waitForWork([uniqueQueue()], LONG_MS, controller.signal),
        subject.queue.waitAndLease(subject.request(1, { queue: uniqueQueue() }), LONG_MS, controller.signal),
      ];
      await subject.addOne({ key: 'a' });
      const first = takenBy(await waiting);
      expect(first.length > 0 ? first : takenBy(await wait())).toEqual(['a']);
      controller.abort();
      await Promise.all(others);
    });

    it('repeated as a lease gives the same tasks', async () => {
      await subject.addMany('a', 3);
      const request = { requestId: 'a-request-of-ones-own' };
      const { tasks } = await wait(2, request);
      expect(await subject.take(2, request)).toEqual(tasks);
    });

    needs('tenants', 'stealing').it('waits for the tenants alone that it serves', async () => {
      const own = { tenants: ['b'], steal: false };
      await subject.lease(1, own);
      const waiting = wait(5, own);
      await subject.addOf('a', 1);
      await subject.addOf('b', 1);
      expect(takenBy(await waiting)).toEqual(['b1']);
    });

    it.each([[{ max: -1 }], [{ workerId: '' }], [{ leaseMs: 1 }]])('refuses %j', async (request) => {
      await expect(wait(1, request)).rejects.toMatchObject({ kind: 'invalid' });
    });
  });

  describe('for an end', () => {
    it('answers at once for a task that has ended', async () => {
      const leased = await subject.start();
      await subject.complete(leased, '1');
      expect(await subject.queue.waitForEnd(leased.id, LONG_MS)).toEqual(await subject.get(leased.id));
    });

    it('answers at once with nothing for a task that does not exist', async () => {
      expect(await subject.queue.waitForEnd(`${subject.name}~nobody`, LONG_MS)).toBeUndefined();
    });

    it('answers with the task as it is after the timeout', async () => {
      const { id } = await subject.addOne();
      expect(await subject.queue.waitForEnd(id, SHORT_MS)).toEqual(await subject.get(id));
      expect(await subject.queue.waitForEnd(id, 0)).toMatchObject({ state: 'pending' });
    });

    it('answers with the task as it is on abort', async () => {
      const leased = await subject.start();
      expect(await subject.queue.waitForEnd(leased.id, LONG_MS, AbortSignal.abort())).toMatchObject({
        state: 'running',
      });
      const controller = new AbortController();
      const waiting = subject.queue.waitForEnd(leased.id, LONG_MS, controller.signal);
      setImmediate(() => controller.abort());
      expect(await waiting).toMatchObject({ id: leased.id, state: 'running' });
    });

    const ends: [string, () => Promise<string>, (id: string) => Promise<unknown>][] = [
      ['completed', start, () => subject.complete(held, '"done"')],
      ['failed', start, () => subject.fail(held, { retryable: false })],
      ['cancelled', async () => (await subject.addOne()).id, (id) => subject.cancel(id)],
    ];
    it.each(ends)('answers when the task is %s', answers);
    needs('ttl').it('answers when the task expires', () =>
      answers(
        'expired',
        async () => (await subject.addOne({ ttlMs: 5 })).id,
        () => {
          subject.clock.advance(5);
          return subject.queue.promote(subject.name);
        },
      ),
    );
    async function answers(
      state: string,
      prepare: () => Promise<string>,
      end: (id: string) => Promise<unknown>,
    ): Promise<void> {
      const id = await prepare();
      const another = await subject.another();
      const waits = [subject.queue.waitForEnd(id, LONG_MS), another.waitForEnd(id, LONG_MS)];
      await end(id);
      const [one, two] = await Promise.all(waits);
      expect(one).toMatchObject({ id, state });
      expect(two).toEqual(one);
      expect(one).toEqual(await subject.get(id));
    }

    it('does not miss an end at any moment of beginning to wait', async () => {
      for (let turns = 0; turns < 20; turns += 1) {
        const leased = await subject.start();
        const waiting = subject.queue.waitForEnd(leased.id, LONG_MS);
        for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
        await subject.complete(leased);
        expect(await waiting).toMatchObject({ state: 'completed' });
      }
    });

    describe('of a task submitted while ends were listened to', () => {
      let unbornAtMs: number;
      const wait = (id: string, timeoutMs = LONG_MS, signal?: AbortSignal) =>
        subject.queue.waitForEnd(id, timeoutMs, signal, unbornAtMs);

      beforeEach(async () => {
        const { id } = await subject.start();
        await subject.queue.waitForEnd(id, SHORT_MS);
        unbornAtMs = performance.now();
      });

      it('does not miss it, before it waits or after', async () => {
        for (let turns = 0; turns < 20; turns += 1) {
          unbornAtMs = performance.now();
          const [one, two] = [await subject.start(), await subject.start()];
          await subject.complete(one);
          for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
          const waits = [wait(one.id), wait(two.id)];
          await subject.complete(two);
          expect(await Promise.all(waits)).toMatchObject([{ state: 'completed' }, { state: 'completed' }]);
        }
      });

      it('does not miss it where many others followed', async () => {
        const leased = await subject.start();
        await subject.complete(leased);
        let last = leased;
        for (let i = 0; i < 6; i += 1) {
          await subject.add(...Array.from({ length: 100 }, () => ({})));
          const others = await subject.take(100);
          await subject.queue.settle(
            others.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' as const })),
          );
          last = others.at(-1)!;
        }
        await wait(last.id);
        expect(await wait(leased.id)).toMatchObject({ state: 'completed' });
      });

      it('answers with the task as it is after the timeout, and on abort', async () => {
        const { id } = await subject.start();
        expect(await wait(id, SHORT_MS)).toMatchObject({ state: 'running' });
        expect(await wait(id, 0)).toMatchObject({ state: 'running' });
        expect(await wait(id, LONG_MS, AbortSignal.abort())).toMatchObject({ state: 'running' });
      });
    });

    it('does not end with a failure that is retried', async () => {
      const leased = await subject.start();
      const controller = new AbortController();
      let ended = false;
      const waiting = subject.queue
        .waitForEnd(leased.id, LONG_MS, controller.signal)
        .finally(() => (ended = true));
      await subject.fail(leased, { retryInMs: 0 });
      const again = await subject.takeOne();
      for (let i = 0; i < 10; i += 1) await new Promise(setImmediate);
      expect(ended).toBe(false);
      await subject.complete(again);
      expect(await waiting).toMatchObject({ state: 'completed', failures: 1 });
    });

    it('waits for many tasks at a time, each for its own', async () => {
      const tasks = await subject.add(...Array.from({ length: 50 }, (_, i) => ({ key: `k${i}` })));
      const waits = tasks.map(({ id }) => subject.queue.waitForEnd(id, LONG_MS));
      const leased = await subject.take(50);
      await subject.queue.settle(
        leased
          .reverse()
          .map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' as const, result: `"${id}"` })),
      );
      const ended = await Promise.all(waits);
      expect(ended.map((task) => task?.result)).toEqual(tasks.map(({ id }) => `"${id}"`));
    });

    it('ends when the queue is closed', async () => {
      const closing = await subject.another();
      if (closing === subject.queue) return;
      const { id } = await subject.addOne();
      const waiting = closing.waitForEnd(id, LONG_MS).then(
        () => 'ended',
        () => 'ended',
      );
      await closing.close();
      expect(await waiting).toBe('ended');
    });
  });
}
