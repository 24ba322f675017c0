import { LIMITS } from '../../core/limits.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, only, useSubject, WORKER, type Setup } from './subject.js';

export function describeLease(setup: Setup): void {
  const subject = useSubject(setup);

  needs('tenants', 'timeouts', 'metadata').it('gives a task with the right to settle it', async () => {
    const task = await subject.addOne({ tenant: 'a', tags: ['t'], metadata: { m: '1' }, timeoutMs: 5 });
    subject.clock.advance(3);
    const lease = await subject.lease(5);
    expect(lease).toEqual({
      tasks: [
        {
          id: task.id,
          queue: subject.name,
          type: task.type,
          tenant: 'a',
          priority: 3,
          payload: task.payload,
          timeoutMs: 5,
          tags: ['t'],
          metadata: { m: '1' },
          createdAt: task.createdAt,
          attempt: 1,
          failures: 0,
          crashes: 0,
          errors: [],
          leaseToken: expect.any(String),
          leaseExpiresAt: subject.now + LEASE_MS,
        },
      ],
      more: false,
    });
    expect(await subject.get(task.id)).toMatchObject({
      state: 'running',
      attempt: 1,
      startedAt: subject.now,
      workerId: WORKER,
      leaseExpiresAt: subject.now + LEASE_MS,
    });
  });

  it('gives nothing where nothing waits, and nothing of a queue nobody knows', async () => {
    expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
    expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
  });

  it('never gives a task twice', async () => {
    await subject.add({}, {}, {}, {}, {});
    const another = await subject.another();
    const request = { queue: subject.name, leaseMs: LEASE_MS, max: 2 };
    const leases = await Promise.all(
      [1, 2, 3, 4].map((n) => (n % 2 ? another : subject.queue).lease({ ...request, workerId: `w${n}` })),
    );
    const ids = leases.flatMap((lease) => lease.tasks.map(({ id }) => id));
    expect(ids).toHaveLength(5);
    expect(new Set(ids).size).toBe(5);
    expect(new Set(leases.flatMap((lease) => lease.tasks.map(({ leaseToken }) => leaseToken))).size).toBe(5);
  });

  it('takes at most as many as asked for, and says whether more was waiting', async () => {
    await subject.add({}, {}, {});
    expect(await subject.lease(2)).toMatchObject({ tasks: [{}, {}], more: true });
    expect(await subject.lease(1)).toMatchObject({ tasks: [{}], more: false });
  });

  it('takes nothing for a maximum of 0, and says whether work waits', async () => {
    expect(await subject.lease(0)).toMatchObject({ tasks: [], more: false });
    const task = await subject.addOne();
    expect(await subject.lease(0)).toMatchObject({ tasks: [], more: true });
    expect(await subject.stateOf(task.id)).toBe('pending');
  });

  it('takes the largest batch', async () => {
    await subject.add(...Array.from({ length: LIMITS.leaseTasksMax }, () => ({})));
    const lease = await subject.lease(LIMITS.leaseTasksMax);
    expect(lease.tasks).toHaveLength(LIMITS.leaseTasksMax);
    expect(lease.more).toBe(false);
  });

  it.each([
    ['a negative maximum', { max: -1 }],
    ['a fraction', { max: 1.5 }],
    ['too many', { max: LIMITS.leaseTasksMax + 1 }],
    ['no number', { max: NaN }],
    ['too short a lease', { leaseMs: LIMITS.leaseMsMin - 1 }],
    ['too long a lease', { leaseMs: LIMITS.leaseMsMax + 1 }],
    ['a lease without a length', { leaseMs: NaN }],
    ['a worker without a name', { workerId: '' }],
    ['a worker with a space', { workerId: 'a b' }],
  ])('refuses %s', async (_, request) => {
    await subject.addOne();
    await expect(subject.lease(1, request)).rejects.toMatchObject({ kind: 'invalid' });
    expect(await subject.take(1)).toHaveLength(1);
  });

  describe('order', () => {
    it('is first in, first out inside a tenant', async () => {
      await subject.add({ key: 'c' }, { key: 'a' });
      subject.clock.advance(1);
      await subject.add({ key: 'b' });
      expect(keysOf(await subject.take(2))).toEqual(['c', 'a']);
      await subject.add({ key: 'late' });
      expect(keysOf(await subject.take(5))).toEqual(['b', 'late']);
    });

    it('is by priority first, 6 before 1, in one lease and over several', async () => {
      const priorities = [3, 1, 6, 2, 5, 4] as const;
      await subject.add(...priorities.map((priority) => ({ key: `p${priority}`, priority })));
      expect(keysOf(await subject.take(3))).toEqual(['p6', 'p5', 'p4']);
      await subject.addOne({ key: 'late', priority: 6 });
      expect(keysOf(await subject.take(9))).toEqual(['late', 'p3', 'p2', 'p1']);
    });

    needs('tenants').it('puts priority above tenants', async () => {
      await subject.add(
        { key: 'a1', tenant: 'a' },
        { key: 'b1', tenant: 'b', priority: 4 },
        { key: 'b2', tenant: 'b', priority: 4 },
      );
      expect(keysOf(await subject.take(2))).toEqual(['b1', 'b2']);
    });

    it('keeps queues apart', async () => {
      const other = `${subject.name}.other`;
      await subject.add({ key: 'a' }, { key: 'b', queue: other });
      expect(keysOf(await subject.take(5, { queue: other }))).toEqual(['b']);
      expect(keysOf(await subject.take(5))).toEqual(['a']);
    });
  });

  describe('times', () => {
    it('starts a delayed task when it is due, not a millisecond before', async () => {
      await subject.addOne({ key: 'later', delayMs: 100 });
      subject.clock.advance(99);
      expect(await subject.lease(1)).toEqual({ tasks: [], more: false, nextDueInMs: 1 });
      subject.clock.advance(1);
      const lease = await subject.lease(1);
      expect(keysOf(lease.tasks)).toEqual(['later']);
      expect(lease.nextDueInMs).toBeUndefined();
    });

    it('names the time to the nearest of all due tasks', async () => {
      await subject.add({ delayMs: 500 }, { delayMs: 300 }, { delayMs: 400 });
      subject.clock.advance(50);
      expect((await subject.lease(0)).nextDueInMs).toBe(250);
    });

    it('puts due tasks at the tail of their lanes, by due time', async () => {
      await subject.add(
        { key: 'due-2', delayMs: 2 },
        { key: 'due-1a', delayMs: 1 },
        { key: 'due-1b', delayMs: 1 },
        { key: 'waiting' },
      );
      subject.clock.advance(5);
      expect(keysOf(await subject.take(9))).toEqual(['waiting', 'due-1a', 'due-1b', 'due-2']);
    });

    needs('bounded-steps').it(
      'promotes a bounded number of due tasks, and the rest with the next lease',
      async () => {
        await subject.add(...Array.from({ length: LIMITS.choreTasksMax + 20 }, () => ({ delayMs: 1 })));
        subject.clock.advance(10);
        const lease = await subject.lease(LIMITS.leaseTasksMax);
        expect(lease.tasks).toHaveLength(LIMITS.choreTasksMax);
        expect(lease.nextDueInMs).toBe(-9);
        expect(await subject.take(LIMITS.leaseTasksMax)).toHaveLength(20);
      },
    );

    it('no longer has a due time once it is pending', async () => {
      const task = await subject.addOne({ delayMs: 1 });
      subject.clock.advance(1);
      await subject.lease(0);
      const promoted = await subject.get(task.id);
      expect(promoted.state).toBe('pending');
      expect(promoted.dueAt).toBeUndefined();
    });
  });

  needs('ttl').describe('time to live', () => {
    it('lets a task start until it has passed', async () => {
      await subject.addOne({ key: 'a', ttlMs: 100 });
      subject.clock.advance(99);
      expect(keysOf(await subject.take(1))).toEqual(['a']);
    });

    it('passes over expired tasks and marks them so', async () => {
      const [first, second] = await subject.add({ ttlMs: 100 }, { ttlMs: 100 }, { key: 'good' });
      subject.clock.advance(100);
      const lease = await subject.lease(1);
      expect(keysOf(lease.tasks)).toEqual(['good']);
      for (const task of [first, second]) {
        expect(await subject.get(task?.id ?? '')).toMatchObject({
          state: 'expired',
          attempt: 0,
          finishedAt: subject.now,
        });
      }
    });

    it('says that nothing is left where all have expired', async () => {
      await subject.add({ ttlMs: 1 }, { ttlMs: 1 });
      subject.clock.advance(1);
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
    });

    it('no longer matters once the task has started', async () => {
      const leased = await subject.start({ ttlMs: 100 });
      await subject.release(leased);
      subject.clock.advance(1_000);
      await subject.queue.promote(subject.name);
      const again = await subject.takeOne();
      expect(again.id).toBe(leased.id);
      await subject.fail(again, { retryInMs: 1_000 });
      subject.clock.advance(1_000);
      await subject.queue.promote(subject.name);
      expect(await subject.stateOf(leased.id)).toBe('pending');
    });
  });

  describe('repeated requests', () => {
    needs('repeatable-leases').it('return what the first one took, without taking more', async () => {
      await subject.add({}, {}, {});
      const first = await subject.lease(2, { requestId: 'r1' });
      subject.clock.advance(LEASE_MS - 1);
      expect(await subject.lease(2, { requestId: 'r1' })).toEqual(first);
      const [overview] = await subject.queue.overview([subject.name]);
      expect(overview?.states).toMatchObject({ running: 2, pending: 1 });
    });

    needs('repeatable-leases').it(
      'return what they took when another one was answered meanwhile',
      async () => {
        await subject.add({}, {}, {});
        const first = await subject.lease(1, { requestId: 'r1' });
        const second = await subject.lease(1, { requestId: 'r2' });
        expect((await subject.lease(1, { requestId: 'r1' })).tasks).toEqual(first.tasks);
        expect((await subject.lease(1, { requestId: 'r2' })).tasks).toEqual(second.tasks);
        const [overview] = await subject.queue.overview([subject.name]);
        expect(overview?.states).toMatchObject({ running: 2, pending: 1 });
      },
    );

    needs('repeatable-leases').it(
      'return it also when they ask for nothing, and then never take anything',
      async () => {
        await subject.add({}, {}, {});
        const taken = await subject.take(2, { requestId: 'r1' });
        expect(keysOf(await subject.take(0, { requestId: 'r1' })).sort()).toEqual(keysOf(taken).sort());
        expect(await subject.take(0, { requestId: 'r2' })).toEqual([]);
        const [overview] = await subject.queue.overview([subject.name]);
        expect(overview?.states).toMatchObject({ running: 2, pending: 1 });
      },
    );

    needs('repeatable-leases').it(
      'that asked for nothing are used up: who is late with one takes nothing any more',
      async () => {
        await subject.add({}, {});
        const held = await subject.take(1, { requestId: 'r0' });
        await subject.lease(0, { requestId: 'r1' });
        // Whether the one before was told that something waits must not depend on the late one.
        expect(await subject.lease(5, { requestId: 'r1' })).toEqual({ tasks: [], more: true });
        expect(await subject.take(5, { requestId: 'r0' })).toEqual(held);
        await subject.takeOne({ requestId: 'r2' });
        await subject.addOne();
        expect(await subject.take(5, { requestId: 'r1' })).toEqual([]);
        expect(await subject.take(5, { requestId: 'r1', workerId: 'worker-2' })).toHaveLength(1);
      },
    );

    needs('repeatable-leases').it(
      'that were asked for and then for nothing are used up when another one came between',
      async () => {
        await subject.add({}, {});
        const [task] = await subject.take(1, { requestId: 'r1' });
        await subject.take(0, { requestId: 'r1' });
        await subject.release(task!);
        await subject.takeOne({ requestId: 'r2' });
        expect(await subject.take(5, { requestId: 'r1' })).toEqual([]);
      },
    );

    needs('repeatable-leases').it('are used up for as long as the latest four of a worker', async () => {
      await subject.addOne();
      const ids = ['r1', 'r2', 'r3', 'r4', 'r5'];
      for (const requestId of [...ids, 'r5', 'r4']) await subject.lease(0, { requestId });
      for (const requestId of ids.slice(1)) expect(await subject.take(1, { requestId })).toEqual([]);
      expect(await subject.take(1, { requestId: 'r1' })).toHaveLength(1);
    });

    needs('repeatable-leases').it('return only what is still held', async () => {
      await subject.add({}, {}, {});
      const [done, kept, extended] = await subject.take(3, { requestId: 'r1' });
      if (!done || !kept || !extended) throw new Error('expected three');
      await subject.complete(done);
      subject.clock.advance(100);
      await subject.queue.extend([extended], LEASE_MS);
      expect(await subject.take(3, { requestId: 'r1' })).toEqual([
        kept,
        { ...extended, leaseExpiresAt: subject.now + LEASE_MS },
      ]);
    });

    it('do not return a task that somebody else holds now', async () => {
      const leased = await subject.start({}, { requestId: 'r1' });
      await subject.release(leased);
      await subject.takeOne({ workerId: 'worker-2' });
      expect(await subject.take(1, { requestId: 'r1' })).toEqual([]);
    });

    needs('repeatable-leases').it('do not return again what the worker released, nor take it', async () => {
      const leased = await subject.start({}, { requestId: 'r1' });
      await subject.release(leased);
      expect(await subject.take(1, { requestId: 'r1' })).toEqual([]);
      expect(await subject.stateOf(leased.id)).toBe('pending');
    });

    it('are told apart by their id, and by their worker', async () => {
      await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
      expect(keysOf(await subject.take(1, { requestId: 'r1' }))).toEqual(['a']);
      expect(keysOf(await subject.take(1, { requestId: 'r2' }))).toEqual(['b']);
      expect(keysOf(await subject.take(1, { requestId: 'r2', workerId: 'worker-2' }))).toEqual(['c']);
    });

    it('are no repeats where no id is given', async () => {
      await subject.add({}, {});
      const first = await subject.takeOne();
      const second = await subject.takeOne();
      expect(second.id).not.toBe(first.id);
      expect(second.leaseToken).not.toBe(first.leaseToken);
    });

    needs('repeatable-leases').it.each([LEASE_MS, LIMITS.requestKeptMsMin + 1_000])(
      'are new requests once the %s ms of the lease have passed, and two minutes',
      async (leaseMs) => {
        if (!subject.forgetsByClock) return;
        await subject.add({ key: 'a' }, { key: 'b' });
        const first = await subject.takeOne({ requestId: 'r1', leaseMs });
        await subject.lease(0, { requestId: 'r2', leaseMs });
        subject.clock.advance(Math.max(leaseMs, LIMITS.requestKeptMsMin) - 1);
        await subject.queue.extend([first], LEASE_MS);
        expect(keysOf(await subject.take(1, { requestId: 'r1', leaseMs }))).toEqual(['a']);
        expect(await subject.take(1, { requestId: 'r2', leaseMs })).toEqual([]);
        subject.clock.advance(1);
        expect(keysOf(await subject.take(1, { requestId: 'r1', leaseMs }))).toEqual(['b']);
      },
    );

    needs('repeatable-leases').it('work for the lease that comes with a settlement', async () => {
      await subject.add({}, {}, {});
      const leased = await subject.takeOne();
      const settlement = { id: leased.id, leaseToken: leased.leaseToken, action: 'complete' } as const;
      const next = { queue: subject.name, workerId: WORKER, max: 1, leaseMs: LEASE_MS, requestId: 'r2' };
      const first = await subject.queue.settle([settlement], next);
      expect(first.outcomes).toEqual([{ status: 'settled', state: 'completed' }]);
      expect(only(first.lease?.tasks ?? []).id).not.toBe(leased.id);
      expect(await subject.queue.settle([settlement], next)).toEqual(first);
    });
  });

  it('gives every start a token of its own', async () => {
    const first = await subject.start();
    await subject.release(first);
    const second = await subject.takeOne();
    expect(second.leaseToken).not.toBe(first.leaseToken);
  });

  needs('error-history').it('hands over the errors of earlier attempts, oldest first', async () => {
    const first = await subject.start();
    await subject.fail(first, { error: { message: 'one', code: 'c1', details: { a: [] } }, retryInMs: 0 });
    const second = await subject.takeOne();
    await subject.fail(second, { error: { message: 'two' }, retryInMs: 0 });
    const third = await subject.takeOne();
    expect(third).toMatchObject({ attempt: 3, failures: 2, crashes: 0 });
    expect(third.errors).toEqual([
      { attempt: 1, at: subject.now, workerId: WORKER, message: 'one', code: 'c1', details: { a: [] } },
      { attempt: 2, at: subject.now, workerId: WORKER, message: 'two' },
    ]);
    expect(third.errors).toEqual((await subject.get(third.id)).errors);
  });
}
