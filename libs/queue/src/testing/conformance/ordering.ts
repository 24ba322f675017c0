import { LIMITS } from '../../core/limits.js';
import type { LeasedTask } from '../../core/ports/consumer.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, only, useSubject, WORKER, type Setup } from './subject.js';

export function describeOrdering(setup: Setup): void {
  const subject = useSubject(setup);
  /** Tasks with one ordering key, by their own. */
  const addInOrder = (...keys: string[]) => subject.add(...keys.map((key) => ({ key, orderingKey: 'o' })));
  const startFirst = async (...keys: string[]): Promise<LeasedTask> => {
    await addInOrder(...keys);
    return only(await subject.take(keys.length));
  };

  it('starts one task of a key at a time, in the order in which they became pending', async () => {
    await addInOrder('a', 'b', 'c');
    const started: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const leased = only(await subject.take(9));
      started.push(...keysOf([leased]));
      expect(await subject.take(9)).toEqual([]);
      await subject.complete(leased);
    }
    expect(started).toEqual(['a', 'b', 'c']);
  });

  it('starts tasks of other keys, and of none, past those that wait', async () => {
    await subject.add(
      { key: 'a1', orderingKey: 'a' },
      { key: 'a2', orderingKey: 'a' },
      { key: 'b1', orderingKey: 'b' },
      { key: 'free' },
      { key: 'a3', orderingKey: 'a' },
      { key: 'b2', orderingKey: 'b' },
    );
    expect(await subject.keys(9)).toEqual(['a1', 'b1', 'free']);
  });

  needs('tenants').it('concerns tasks of one tenant', async () => {
    await subject.add(
      { key: 'a1', tenant: 'a', orderingKey: 'o' },
      { key: 'b1', tenant: 'b', orderingKey: 'o' },
      { key: 'a2', tenant: 'a', orderingKey: 'o' },
    );
    expect(await subject.keys(9)).toEqual(['a1', 'b1']);
  });

  it('concerns tasks of one queue', async () => {
    await startFirst('a');
    const other = `${subject.name}.other`;
    await subject.addOne({ queue: other, orderingKey: 'o' });
    expect(await subject.take(1, { queue: other })).toHaveLength(1);
  });

  it('says that nothing is left where all that wait have stepped aside', async () => {
    await addInOrder('a', 'b', 'c');
    expect(await subject.lease(9)).toMatchObject({ tasks: [{}], more: false });
    expect(await subject.overview()).toMatchObject({ backlog: 2, states: { pending: 2 } });
    expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
  });

  needs('statistics').it(
    'shows those that stepped aside as pending, in lists and in the age of the oldest',
    async () => {
      await startFirst('a', 'b');
      subject.clock.advance(500);
      const page = await subject.queue.list({
        queue: subject.name,
        order: 'oldest',
        limit: 9,
        state: 'pending',
      });
      expect(keysOf(page.items)).toEqual(['b']);
      expect((await subject.overview()).oldestPendingAgeMs).toBe(500);
    },
  );

  it('is told to the one who runs the task', async () => {
    expect((await startFirst('a')).orderingKey).toBe('o');
  });

  describe('is held by a task', () => {
    needs('cancel-running').it.each<[string, (leased: LeasedTask) => Promise<unknown>]>([
      ['that waits for a retry', (leased) => subject.fail(leased, { retryInMs: 1_000 })],
      ['that is asked to stop', (leased) => subject.cancel(leased.id)],
      ['whose lease is extended', (leased) => subject.queue.extend([leased], LEASE_MS)],
    ])('%s', async (_, happen) => {
      const leased = await startFirst('a', 'b');
      await happen(leased);
      await subject.addOne({ key: 'c', orderingKey: 'o' });
      expect(await subject.take(9)).toEqual([]);
    });

    it('that is tried again, until it ends', async () => {
      const first = await startFirst('a', 'b');
      await subject.fail(first, { retryInMs: 1_000 });
      subject.clock.advance(1_000);
      const second = only(await subject.take(9));
      expect(keysOf([second])).toEqual(['a']);
      await subject.fail(second, { retryable: false });
      expect(await subject.keys(9)).toEqual(['b']);
    });

    it('that is retried at once, behind others of its lane', async () => {
      const leased = await startFirst('a', 'b');
      await subject.addOne({ key: 'free' });
      await subject.fail(leased, { retryInMs: 0 });
      expect(await subject.keys(9)).toEqual(['free', 'a']);
    });

    it('that was released, and goes to the head of its lane', async () => {
      const leased = await startFirst('a', 'b');
      await subject.addOne({ key: 'free' });
      await subject.release(leased);
      expect(await subject.keys(9)).toEqual(['a', 'free']);
    });

    it('whose lease was lost, and goes to the head of its lane', async () => {
      await startFirst('a', 'b');
      await subject.addOne({ key: 'free' });
      await subject.loseLeases();
      expect(await subject.keys(9)).toEqual(['a', 'free']);
    });

    it('whose holder comes back too late', async () => {
      const lost = await startFirst('a', 'b');
      await subject.loseLeases();
      await subject.takeOne({ workerId: 'worker-2' });
      expect(await subject.complete(lost)).toMatchObject({ status: 'refused' });
      expect(await subject.take(9)).toEqual([]);
    });
  });

  describe('goes on to the next task when one', () => {
    needs('cancel-running').it.each<[string, (leased: LeasedTask) => Promise<unknown>]>([
      ['completes', (leased) => subject.complete(leased)],
      ['fails for good', (leased) => subject.fail(leased, { retryable: false })],
      [
        'is cancelled while it runs',
        async (leased) => {
          await subject.cancel(leased.id);
          await subject.release(leased);
        },
      ],
      [
        'is cancelled while it waits for a retry',
        async (leased) => {
          await subject.fail(leased, { retryInMs: 1_000 });
          await subject.cancel(leased.id);
        },
      ],
      [
        'is cancelled after it was released',
        async (leased) => {
          await subject.release(leased);
          await subject.cancel(leased.id);
        },
      ],
    ])('%s', async (_, end) => {
      const leased = await startFirst('a', 'b', 'c');
      await subject.silence();
      const waiting = subject.wait();
      await end(leased);
      expect(await waiting).toBe(subject.name);
      expect(await subject.keys(9)).toEqual(['b']);
    });

    it('crashes too often', async () => {
      await startFirst('a', 'b');
      for (let crashes = 1; crashes < LIMITS.crashesMax; crashes += 1) {
        await subject.loseLeases();
        expect(await subject.keys(9)).toEqual(['a']);
      }
      await subject.loseLeases();
      expect(await subject.keys(9)).toEqual(['b']);
    });

    needs('cancel-running').it('is asked to stop and loses its lease', async () => {
      const leased = await startFirst('a', 'b');
      await subject.cancel(leased.id);
      await subject.loseLeases();
      expect(await subject.keys(9)).toEqual(['b']);
    });

    needs('ttl').it.each(['lease', 'promote'] as const)(
      'has expired when a %s finds it, once it was its turn',
      async (by) => {
        await subject.add({ key: 'a', orderingKey: 'o' }, { key: 'b', orderingKey: 'o', ttlMs: 100 });
        await addInOrder('c');
        const leased = only(await subject.take(9));
        await subject.complete(leased);
        subject.clock.advance(100);
        if (by === 'promote') await subject.queue.promote(subject.name);
        expect(await subject.keys(9)).toEqual(['c']);
        expect(await subject.stateOf(subject.id('b'))).toBe('expired');
      },
    );

    it('is settled in the same call', async () => {
      const { id, leaseToken } = await startFirst('a', 'b');
      const next = { queue: subject.name, workerId: WORKER, max: 9, leaseMs: LEASE_MS };
      const { lease } = await subject.queue.settle([{ id, leaseToken, action: 'complete' }], next);
      expect(keysOf(lease?.tasks ?? [])).toEqual(['b']);
    });
  });

  describe('puts the next task', () => {
    it('at the head of its lane', async () => {
      const leased = await startFirst('a', 'b');
      await subject.add({ key: 'x' }, { key: 'y' });
      await subject.complete(leased);
      expect(await subject.keys(9)).toEqual(['b', 'x', 'y']);
    });

    it('behind what is released in the same call', async () => {
      await subject.add({ key: 'a', orderingKey: 'o' }, { key: 'free' }, { key: 'b', orderingKey: 'o' });
      const [a, free] = (await subject.take(9)) as [LeasedTask, LeasedTask];
      await subject.queue.settle([
        { id: free.id, leaseToken: free.leaseToken, action: 'release' },
        { id: a.id, leaseToken: a.leaseToken, action: 'complete' },
      ]);
      expect(await subject.keys(9)).toEqual(['free', 'b']);
    });

    it('into the lane that it stepped out of', async () => {
      const leased = await startFirst('a');
      await subject.add({ key: 'high', orderingKey: 'o', priority: 6 });
      expect(await subject.take(9)).toEqual([]);
      await subject.add({ key: 'free' });
      await subject.complete(leased);
      expect(await subject.keys(9)).toEqual(['high', 'free']);
    });

    needs('tenants').it('with the wait it had', async () => {
      const leased = await startFirst('a', 'b');
      subject.clock.advance(500);
      await subject.complete(leased);
      expect((await subject.tenant('default')).oldestPendingAgeMs).toBe(500);
    });
  });

  it('starts by priority among those that wait in lanes, and by arrival among those that stepped aside', async () => {
    await subject.add(
      { key: 'a', orderingKey: 'o' },
      { key: 'b', orderingKey: 'o', priority: 1 },
      { key: 'c', orderingKey: 'o', priority: 6 },
    );
    const order: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      const leased = only(await subject.take(1));
      order.push(...keysOf([leased]));
      await subject.complete(leased);
    }
    // Nobody stepped aside: each was reached when the key was free.
    expect(order).toEqual(['c', 'a', 'b']);
    await subject.addOne({ key: 'd', orderingKey: 'o' });
    const leased = only(await subject.take(1));
    await subject.addOne({ key: 'first', orderingKey: 'o', priority: 1 });
    await subject.take(1);
    await subject.addOne({ key: 'second', orderingKey: 'o', priority: 6 });
    await subject.take(1);
    await subject.complete(leased);
    expect(await subject.keys(9)).toEqual(['first']);
  });

  needs('ttl').it('passes over those that have ended while they stood aside', async () => {
    await subject.add({ key: 'a', orderingKey: 'o' }, { key: 'b', orderingKey: 'o' });
    await subject.add({ key: 'c', orderingKey: 'o', ttlMs: 10 }, { key: 'd', orderingKey: 'o' });
    const leased = only(await subject.take(9));
    await subject.cancel(subject.id('b'));
    subject.clock.advance(10);
    await subject.queue.promote(subject.name);
    expect(await subject.stateOf(subject.id('c'))).toBe('expired');
    await subject.complete(leased);
    expect(await subject.keys(9)).toEqual(['d']);
  });

  it('is free where none is left', async () => {
    const leased = await startFirst('a', 'b');
    await subject.cancel(subject.id('b'));
    await subject.complete(leased);
    expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    await addInOrder('c');
    expect(await subject.keys(9)).toEqual(['c']);
  });

  needs('cancel-running').it(
    'lets one that stood aside, ended and was retried stand in line once',
    async () => {
      const leased = await startFirst('a', 'b', 'c');
      await subject.cancel(subject.id('b'));
      await subject.retry(subject.id('b'));
      expect(await subject.take(9)).toEqual([]);
      await subject.complete(leased);
      expect(await subject.keys(9)).toEqual(['c']);
      await subject.queue.cancel([subject.id('c')]);
      await subject.loseLeases();
      expect(await subject.keys(9)).toEqual(['b']);
    },
  );

  it('lets a task that was retried after its end stand in line as a new one', async () => {
    const leased = await startFirst('a', 'b', 'c');
    await subject.fail(leased, { retryable: false });
    await subject.retry(leased.id);
    const second = only(await subject.take(9));
    expect(keysOf([second])).toEqual(['b']);
    await subject.complete(second);
    expect(await subject.keys(9)).toEqual(['c']);
  });

  it('follows a new priority of one that stepped aside', async () => {
    const leased = await startFirst('a', 'b', 'c');
    await subject.update({ id: subject.id('b'), priority: 6 });
    await subject.complete(leased);
    // It left the line for a lane: the next in line holds the key, and it steps aside again.
    expect(await subject.keys(9)).toEqual(['c']);
  });

  it('is kept by its holder when that gets a new priority', async () => {
    const leased = await startFirst('a', 'b');
    await subject.release(leased);
    await subject.update({ id: leased.id, priority: 1 });
    expect(await subject.lease(9)).toMatchObject({ tasks: [{ id: leased.id }], more: false });
  });

  needs('repeatable-leases').it(
    'is the same where leases are taken by several workers, and one is repeated',
    async () => {
      await addInOrder('a', 'b');
      const first = await subject.take(9, { workerId: 'w1', requestId: 'r1' });
      expect(await subject.take(9, { workerId: 'w2' })).toEqual([]);
      expect(await subject.take(9, { workerId: 'w1', requestId: 'r1' })).toEqual(first);
      await subject.complete(only(first));
      await subject.complete(only(first));
      expect(await subject.keys(9, { workerId: 'w2' })).toEqual(['b']);
      expect(await subject.take(9, { workerId: 'w1' })).toEqual([]);
    },
  );

  needs('tenants').it('costs nothing of a share to step aside', async () => {
    await subject.add(
      ...['a1', 'a2', 'a3', 'a4'].map((key) => ({ key, tenant: 'a', orderingKey: 'o' })),
      { key: 'a5', tenant: 'a' },
      ...['b1', 'b2', 'b3'].map((key) => ({ key, tenant: 'b' })),
    );
    expect(await subject.keysSingly(4)).toEqual(['a1', 'b1', 'a5', 'b2']);
  });

  needs('tenants', 'concurrency-limits', 'rate-limits').it(
    'costs nothing of a rate or a concurrency to step aside',
    async () => {
      await subject.configure({
        concurrency: 2,
        tenants: { concurrency: 2, rate: { limit: 1, perMs: 1_000, burst: 2 } },
      });
      await addInOrder('a', 'b', 'c');
      await subject.addOne({ key: 'free' });
      expect(await subject.keys(9)).toEqual(['a', 'free']);
    },
  );

  needs('tenants').it('hands on to a tenant that may start nothing now without losing the turn', async () => {
    const leased = await startFirst('a', 'b');
    await subject.queue.pause(subject.name, 'default');
    await subject.complete(leased);
    expect(await subject.take(9)).toEqual([]);
    await addInOrder('c');
    await subject.queue.resume(subject.name, 'default');
    expect(await subject.keys(9)).toEqual(['b']);
  });

  it('works for very many that stepped aside', async () => {
    const many = 300;
    await addInOrder(...Array.from({ length: many }, (_, i) => `t${i}`));
    await subject.addOne({ key: 'free' });
    // A lease may look at a bounded number of them, and then says that there is more.
    const started: string[] = [];
    for (let more = true; more;) {
      const lease = await subject.lease(9);
      started.push(...keysOf(lease.tasks));
      more = lease.more;
    }
    expect(started).toEqual(['t0', 'free']);
    await subject.queue.cancel(Array.from({ length: many - 2 }, (_, i) => subject.id(`t${i + 1}`)));
    await subject.loseLeases();
    await subject.cancel(subject.id('t0'));
    expect(await subject.keys(9)).toEqual([`t${many - 1}`, 'free']);
  });
}
