import { LIMITS } from '../../core/limits.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, only, useSubject, WORKER, type Setup } from './subject.js';

export function describeReap(setup: Setup): void {
  const subject = useSubject(setup);
  const reap = () => subject.queue.reap(subject.name);

  needs('crash-counts').it('returns a task whose lease is lost, and counts a crash', async () => {
    const leased = await subject.start();
    await reap();
    subject.clock.advance(5_000);
    await reap();
    subject.clock.advance(LEASE_MS - 5_000 - 1);
    expect(await reap()).toEqual({ count: 0, more: false, nextInMs: 1 });
    subject.clock.advance(1);
    expect(await reap()).toEqual({ count: 1, more: false });
    expect(await subject.get(leased.id)).toMatchObject({
      state: 'pending',
      attempt: 1,
      crashes: 1,
      failures: 0,
      errors: [
        {
          attempt: 1,
          at: subject.now,
          workerId: WORKER,
          code: 'lease-lost',
          message: 'The worker stopped renewing its lease.',
        },
      ],
    });
    expect(await subject.takeOne()).toMatchObject({ id: leased.id, attempt: 2, crashes: 1 });
  });

  needs('crash-counts').it('may run twice, or where there is nothing to do', async () => {
    expect(await reap()).toEqual({ count: 0, more: false });
    const leased = await subject.start();
    await subject.loseLeases();
    expect(await reap()).toEqual({ count: 0, more: false });
    expect((await subject.get(leased.id)).crashes).toBe(1);
    expect(await subject.take(9)).toHaveLength(1);
  });

  needs('crash-counts').it('gives up on a task that took its workers down too often', async () => {
    const { id } = await subject.addOne();
    for (let crashes = 1; crashes <= LIMITS.crashesMax; crashes += 1) {
      expect(await subject.stateOf(id)).toBe('pending');
      await subject.takeOne();
      await subject.loseLeases();
      expect((await subject.get(id)).crashes).toBe(crashes);
    }
    expect(await subject.get(id)).toMatchObject({
      state: 'failed',
      failureReason: 'crashed',
      failures: 0,
      finishedAt: subject.now,
    });
  });

  needs('cancel-running', 'crash-counts').it('ends a task that was asked to stop', async () => {
    const leased = await subject.start();
    await subject.cancel(leased.id);
    await subject.loseLeases();
    expect(await subject.get(leased.id)).toMatchObject({
      state: 'cancelled',
      cancelRequested: false,
      crashes: 1,
    });
  });

  needs('return-order').it(
    'returns tasks to the head of their lane, the one that has waited longest first',
    async () => {
      for (const key of ['c', 'b', 'a']) {
        await subject.addOne({ key });
        subject.clock.advance(1);
      }
      await subject.take(3);
      await subject.addOne({ key: 'late' });
      await subject.loseLeases();
      expect(keysOf(await subject.take(4))).toEqual(['c', 'b', 'a', 'late']);
    },
  );

  needs('deadlines').it('puts them in order whichever lease was lost first', async () => {
    await subject.addOne({ key: 'first' });
    subject.clock.advance(1);
    await subject.addOne({ key: 'second' });
    await subject.take(1, { leaseMs: 4_000 });
    await subject.take(1, { leaseMs: 3_000 });
    await reap();
    subject.clock.advance(4_000);
    await reap();
    expect(keysOf(await subject.take(2))).toEqual(['first', 'second']);
  });

  needs('deadlines', 'bounded-steps').it(
    'takes leases in the order of their deadlines, a bounded number at a time',
    async () => {
      const many = LIMITS.choreTasksMax + 5;
      await subject.add(...Array.from({ length: many }, () => ({})));
      const first = await subject.take(5, { leaseMs: 2_000 });
      await subject.take(many - 5, { leaseMs: 3_000 });
      await reap();
      subject.clock.advance(3_000);
      expect(await reap()).toMatchObject({ count: LIMITS.choreTasksMax, more: true });
      for (const { id } of first) expect(await subject.stateOf(id)).toBe('pending');
      expect(await reap()).toEqual({ count: 5, more: false });
    },
  );

  needs('deadlines').it('says when the next lease is lost', async () => {
    await subject.add({}, {});
    await subject.take(1, { leaseMs: 5_000 });
    await subject.take(1, { leaseMs: 2_000 });
    subject.clock.advance(500);
    expect(await reap()).toEqual({ count: 0, more: false, nextInMs: 1_500 });
  });

  needs('crash-counts').describe('after a gap', () => {
    it('gives every lease one more length, once', async () => {
      const leased = await subject.start();
      await reap();
      subject.clock.advance(LEASE_MS * 5);
      expect((await reap()).count).toBe(0);
      expect(await subject.get(leased.id)).toMatchObject({
        state: 'running',
        crashes: 0,
        leaseExpiresAt: subject.now + LEASE_MS,
      });
      for (let passed = 0; passed < LEASE_MS - 5_000; passed += 5_000) {
        subject.clock.advance(5_000);
        expect((await reap()).count).toBe(0);
      }
      subject.clock.advance(5_000);
      expect((await reap()).count).toBe(1);
      expect(await subject.get(leased.id)).toMatchObject({ state: 'pending', crashes: 1 });
    });

    it('lets the holder settle within that length', async () => {
      const leased = await subject.start();
      await reap();
      subject.clock.advance(LEASE_MS * 5);
      await reap();
      expect(await subject.complete(leased)).toEqual({ status: 'settled', state: 'completed' });
    });

    it('gives the length that each lease had', async () => {
      await subject.add({}, {});
      const short = await subject.takeOne({ leaseMs: 2_000 });
      const long = await subject.takeOne({ leaseMs: 2_000 });
      await subject.queue.extend([long], 6_000);
      await reap();
      subject.clock.advance(60_000);
      await reap();
      expect((await subject.get(short.id)).leaseExpiresAt).toBe(subject.now + 2_000);
      expect((await subject.get(long.id)).leaseExpiresAt).toBe(subject.now + 6_000);
    });

    it('gives it also to leases that are lost a little later', async () => {
      const leased = await subject.start();
      await reap();
      subject.clock.advance(LEASE_MS - 1_000);
      await reap();
      subject.clock.advance(1_000);
      expect((await reap()).count).toBe(0);
      expect((await subject.get(leased.id)).leaseExpiresAt).toBe(subject.now + LEASE_MS);
    });

    it('gives nothing to leases taken or extended since', async () => {
      await reap();
      subject.clock.advance(60_000);
      await reap();
      await subject.start({}, { leaseMs: 2_000 });
      subject.clock.advance(2_000);
      expect((await reap()).count).toBe(1);
    });

    it('is found only beyond the bound', async () => {
      await subject.start({}, { leaseMs: LIMITS.reapGapMs });
      await reap();
      subject.clock.advance(LIMITS.reapGapMs);
      expect((await reap()).count).toBe(1);
    });

    it('works for more leases than one call takes', async () => {
      const many = LIMITS.choreTasksMax + 20;
      await subject.add(...Array.from({ length: many }, () => ({})));
      await subject.take(many);
      await reap();
      subject.clock.advance(LEASE_MS * 2);
      expect(await reap()).toMatchObject({ count: 0, more: true });
      expect(await reap()).toMatchObject({ count: 0, more: false });
      const [overview] = await subject.queue.overview([subject.name]);
      expect(overview?.states.running).toBe(many);
    });

    it('is not what a queue has that was never reaped before', async () => {
      const leased = await subject.start();
      subject.clock.advance(LEASE_MS);
      expect((await reap()).count).toBe(1);
      expect(await subject.stateOf(leased.id)).toBe('pending');
    });

    it('concerns each queue by itself', async () => {
      const other = `${subject.name}.other`;
      await subject.queue.reap(other);
      await subject.start();
      await reap();
      subject.clock.advance(5_000);
      await reap();
      subject.clock.advance(5_000);
      await subject.queue.reap(other);
      expect((await reap()).count).toBe(1);
    });
  });

  needs('crash-counts').describe('when the clock goes back', () => {
    it('lets no lease last longer than its length', async () => {
      const leased = await subject.start();
      await reap();
      subject.clock.advance(-3_600_000);
      expect((await reap()).count).toBe(0);
      expect((await subject.get(leased.id)).leaseExpiresAt).toBe(subject.now + LEASE_MS);
      await subject.loseLeases();
      expect(await subject.get(leased.id)).toMatchObject({ state: 'pending', crashes: 1 });
    });

    it('leaves leases alone that end sooner', async () => {
      await reap();
      subject.clock.advance(-1_000);
      const leased = await subject.start();
      subject.clock.advance(-1_000);
      await subject.queue.extend([leased], LEASE_MS);
      const { leaseExpiresAt } = await subject.get(leased.id);
      await reap();
      expect((await subject.get(leased.id)).leaseExpiresAt).toBe(leaseExpiresAt);
    });

    it('still lets the holder settle', async () => {
      const leased = await subject.start();
      await reap();
      subject.clock.advance(-3_600_000);
      await reap();
      expect(await subject.complete(leased)).toEqual({ status: 'settled', state: 'completed' });
    });

    it('starts tasks all the same', async () => {
      await subject.addOne();
      subject.clock.advance(-3_600_000);
      await subject.addOne();
      expect(await subject.take(5)).toHaveLength(2);
    });
  });

  it('leaves a task alone that was settled after its deadline', async () => {
    const leased = await subject.start();
    await reap();
    subject.clock.advance(5_000);
    await reap();
    subject.clock.advance(5_000);
    await subject.complete(leased);
    expect((await reap()).count).toBe(0);
    expect(await subject.stateOf(leased.id)).toBe('completed');
  });

  it('takes one of two leases where only one is lost', async () => {
    await subject.add({ key: 'a' }, { key: 'b' });
    const [, kept] = await subject.take(2, { leaseMs: 5_000 });
    await reap();
    subject.clock.advance(3_000);
    await subject.queue.extend(kept ? [kept] : [], 5_000);
    subject.clock.advance(2_000);
    expect((await reap()).count).toBe(1);
    expect(keysOf(await subject.take(9))).toEqual(['a']);
    expect(only(await subject.queue.get([kept?.id ?? '']))?.state).toBe('running');
  });
}
