import { LIMITS } from '../../core/limits.js';
import type { LeasedTask } from '../../core/ports/consumer.js';
import type { NewTask } from '../../core/ports/producer.js';
import { needs } from './needs.js';
import { keysOf, only, SHORT_MS, useSubject, type Setup } from './subject.js';

export function describeFifo(setup: Setup): void {
  const subject = useSubject(setup);
  beforeEach(() => subject.configure({ mode: 'fifo' }));
  const add = (...tasks: Partial<NewTask>[]) => subject.add(...tasks);
  const inLine = () =>
    add(
      { key: '1', tenant: 'b', priority: 1 },
      { key: '2', tenant: 'a', priority: 6 },
      { key: '3', tenant: 'b', orderingKey: 'o' },
    );

  needs('tenants', 'ordering-keys').it(
    'runs one task after the other, whatever their tenants and priorities',
    async () => {
      await inLine();
      const order: string[] = [];
      for (let i = 0; i < 3; i += 1) {
        const leased = only(await subject.take(9));
        order.push(...keysOf([leased]));
        expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
        await subject.complete(leased);
      }
      expect(order).toEqual(['1', '2', '3']);
    },
  );

  it('puts scheduled tasks in line when they are due', async () => {
    await add({ key: 'due', delayMs: 10 }, { key: '1' });
    subject.clock.advance(10);
    const first = only(await subject.take(9));
    expect(keysOf([first])).toEqual(['1']);
    await subject.complete(first);
    expect(await subject.keys(9)).toEqual(['due']);
  });

  it('finds a second task waiting in vain when its turn comes', async () => {
    await subject.start();
    await add({});
    expect(await subject.lease(0)).toMatchObject({ more: true });
    expect(await subject.lease(1)).toEqual({ tasks: [], more: false });
    await subject.silence();
    await add({});
    expect(await subject.wait(undefined, SHORT_MS)).toBeUndefined();
  });

  needs('tenants', 'ordering-keys').it.each<[string, (leased: LeasedTask) => Promise<unknown>]>([
    ['completes', (leased) => subject.complete(leased)],
    ['fails for good', (leased) => subject.fail(leased, { retryable: false })],
    [
      'is cancelled while it waits for a retry',
      async (leased) => {
        await subject.fail(leased, { retryInMs: 1_000 });
        await subject.cancel(leased.id);
      },
    ],
  ])('goes on, and tells so, when the one that runs %s', async (_, end) => {
    await inLine();
    const leased = only(await subject.take(9));
    await subject.silence();
    const waiting = subject.wait();
    await end(leased);
    expect(await waiting).toBe(subject.name);
    expect(await subject.keys(9)).toEqual(['2']);
  });

  needs('tenants', 'ordering-keys').it.each<[string, (leased: LeasedTask) => Promise<unknown>]>([
    ['is released', (leased) => subject.release(leased)],
    ['loses its lease', () => subject.loseLeases()],
    ['is retried at once', (leased) => subject.fail(leased, { retryInMs: 0 })],
    [
      'is due again',
      async (leased) => {
        await subject.fail(leased, { retryInMs: 100 });
        subject.clock.advance(100);
        await subject.queue.promote(subject.name);
      },
    ],
    [
      'is to run at once by an operator',
      async (leased) => {
        await subject.fail(leased, { retryInMs: 100 });
        await subject.update({ id: leased.id, runAtMs: subject.now });
      },
    ],
  ])('starts the same one again, first, when it %s', async (_, happen) => {
    await inLine();
    const leased = only(await subject.take(9));
    await subject.silence();
    const waiting = subject.wait();
    await happen(leased);
    expect(await waiting).toBe(subject.name);
    expect(await subject.keys(9)).toEqual(['1']);
    expect(await subject.take(9)).toEqual([]);
  });

  needs('tenants', 'ordering-keys').it('holds the others up while one waits for its retry', async () => {
    await inLine();
    await subject.fail(only(await subject.take(9)), { retryInMs: 1_000 });
    expect(await subject.lease(9)).toEqual({ tasks: [], more: false, nextDueInMs: 1_000 });
    subject.clock.advance(999);
    expect(await subject.take(9)).toEqual([]);
    subject.clock.advance(1);
    expect(await subject.keys(9)).toEqual(['1']);
  });

  needs('tenants', 'ordering-keys').it('goes on once a task has crashed too often', async () => {
    await inLine();
    for (let crashes = 0; crashes < LIMITS.crashesMax; crashes += 1) {
      expect(await subject.keys(9)).toEqual(['1']);
      await subject.loseLeases();
    }
    expect(await subject.keys(9)).toEqual(['2']);
  });

  needs('ttl').it('passes over what has expired or was cancelled', async () => {
    await add({ key: '1', ttlMs: 10 }, { key: '2' }, { key: '3' });
    await subject.cancel(subject.id('2'));
    subject.clock.advance(10);
    expect(await subject.keys(9)).toEqual(['3']);
  });

  needs('tenants', 'ordering-keys').it(
    'puts a task that an operator retries at the end of the line',
    async () => {
      await inLine();
      const leased = only(await subject.take(9));
      await subject.fail(leased, { retryable: false });
      await subject.retry(leased.id);
      const second = only(await subject.take(9));
      expect(keysOf([second])).toEqual(['2']);
      await subject.complete(second);
      const third = only(await subject.take(9));
      expect(keysOf([third])).toEqual(['3']);
      await subject.complete(third);
      expect(await subject.keys(9)).toEqual(['1']);
    },
  );

  needs('tenants', 'stealing', 'ordering-keys').it(
    'takes no note of tenants that a worker names',
    async () => {
      await inLine();
      expect(await subject.lease(9, { tenants: ['a'], steal: false })).toMatchObject({
        tasks: [{ tenant: 'b' }],
        more: false,
      });
    },
  );

  needs('tenants', 'concurrency-limits', 'rate-limits').it(
    "takes no note of a tenant's limits and pauses, but of the queue's",
    async () => {
      await subject.configureTenant('b', { concurrency: 1, rate: { limit: 1, perMs: 60_000 } });
      await subject.queue.pause(subject.name, 'b');
      await add({ tenant: 'b' }, { tenant: 'b' }, { tenant: 'b' });
      await subject.complete(only(await subject.take(9)));
      await subject.complete(only(await subject.take(9)));
      await subject.queue.pause(subject.name);
      expect(await subject.take(9)).toEqual([]);
    },
  );

  needs('tenants', 'ordering-keys', 'rate-limits').it('keeps to the rate of the queue', async () => {
    await subject.configure({ mode: 'fifo', rate: { limit: 1, perMs: 1_000 } });
    await inLine();
    await subject.complete(only(await subject.take(9)));
    expect(await subject.lease(9)).toEqual({ tasks: [], more: false, nextDueInMs: 1_000 });
  });

  needs('tenants', 'ordering-keys').it('keeps a task in its place when its priority is changed', async () => {
    await inLine();
    const leased = only(await subject.take(9));
    await subject.release(leased);
    expect(await subject.update({ id: leased.id, priority: 6 })).toMatchObject({ task: { priority: 6 } });
    await subject.update({ id: subject.id('2'), priority: 1 });
    const again = only(await subject.take(9));
    expect(again.id).toBe(leased.id);
    await subject.complete(again);
    expect(await subject.keys(9)).toEqual(['2']);
  });

  needs('tenants', 'ordering-keys', 'statistics').it(
    'does not know the age of what a tenant has waiting',
    async () => {
      await inLine();
      subject.clock.advance(10);
      expect((await subject.tenant('b')).oldestPendingAgeMs).toBeUndefined();
      expect((await subject.overview()).oldestPendingAgeMs).toBe(10);
    },
  );

  needs('tenants', 'ordering-keys', 'repeatable-leases').it(
    'returns to one that runs what a repeated request holds',
    async () => {
      await inLine();
      const first = await subject.take(9, { requestId: 'r1' });
      expect(await subject.take(9, { requestId: 'r1' })).toEqual(first);
    },
  );

  describe('a change of the mode', () => {
    const states: [string, () => Promise<unknown>][] = [
      ['scheduled', () => subject.addOne({ delayMs: 10 })],
      ['pending', () => subject.addOne()],
      ['running', () => subject.start()],
      ['retrying', async () => subject.fail(await subject.start(), { retryInMs: 10 })],
    ];

    needs('concurrency-limits').it.each(states)(
      'is refused while a task is %s, and changes nothing',
      async (_, prepare) => {
        await prepare();
        await expect(subject.configure({ concurrency: 9 })).rejects.toMatchObject({
          code: 'queue-not-empty',
          kind: 'conflict',
        });
        expect(await subject.queue.settings(subject.name)).toEqual({ mode: 'fifo' });
      },
    );

    needs('concurrency-limits').it('is none where the mode stays the same', async () => {
      await subject.addOne();
      await subject.configure({ mode: 'fifo', concurrency: 9 });
      expect(await subject.queue.settings(subject.name)).toEqual({ mode: 'fifo', concurrency: 9 });
    });

    needs('tenants', 'ordering-keys').it('takes effect where all have ended', async () => {
      await inLine();
      for (let i = 0; i < 3; i += 1) await subject.complete(only(await subject.take(9)));
      await subject.configure({ mode: 'fair' });
      await add({ key: 'a' }, { key: 'b' }, { key: 'c', priority: 6 });
      expect(await subject.keys(9)).toEqual(['c', 'a', 'b']);
    });
  });
}
