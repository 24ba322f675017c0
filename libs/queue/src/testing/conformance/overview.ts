import { LIMITS } from '../../core/limits.js';
import { pagesOf } from '../../core/pages.js';
import { MINUTE_EVENTS, type QueueOverview } from '../../core/ports/inspector.js';
import { TASK_STATES } from '../../core/task.js';
import { needs } from './needs.js';
import { LEASE_MS, useSubject, type Setup } from './subject.js';

const MINUTE_MS = 60_000;

export function describeOverview(setup: Setup): void {
  const subject = useSubject(setup);

  const overview = (): Promise<QueueOverview> => subject.overview();
  const zeros = Object.fromEntries(TASK_STATES.map((state) => [state, 0]));
  const noEvents = Object.fromEntries(MINUTE_EVENTS.map((event) => [event, 0]));

  needs('tenants').it('is unknown for a queue that was never used, whatever was asked of it', async () => {
    await subject.lease(1);
    await subject.queue.promote(subject.name);
    await subject.queue.reap(subject.name);
    await subject.queue.prune(subject.name);
    await subject.queue.tenant(subject.name, 'a');
    await subject.queue.resume(subject.name);
    await subject.queue.purge({ queue: subject.name, state: 'waiting' });
    expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
  });

  it('answers in order', async () => {
    await subject.addOne();
    const unknown = `${subject.name}.unknown`;
    const found = await subject.queue.overview([unknown, subject.name, unknown]);
    expect(found.map((each) => each?.queue)).toEqual([undefined, subject.name, undefined]);
    expect(await subject.queue.overview([])).toEqual([]);
  });

  needs('statistics').it('counts by state, priority and type, with zeros for all states', async () => {
    await subject.add({ type: 'a' }, { type: 'a', priority: 6 }, { type: 'b', delayMs: 5 });
    await subject.take(1);
    const found = await overview();
    expect(found.states).toEqual({ ...zeros, pending: 1, running: 1, scheduled: 1 });
    expect(Object.keys(found.priorities)).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(found.priorities[1]).toEqual(zeros);
    expect(found.priorities[3]).toEqual({ ...zeros, pending: 1, scheduled: 1 });
    expect(found.priorities[6]).toEqual({ ...zeros, running: 1 });
    expect(found.types).toEqual({
      a: { ...zeros, pending: 1, running: 1 },
      b: { ...zeros, scheduled: 1 },
    });
  });

  needs('statistics').it('shows the types with the most tasks', async () => {
    await subject.add(...Array.from({ length: LIMITS.typesShown + 20 }, (_, i) => ({ type: `rare.${i}` })));
    await subject.add({ type: 'often' }, { type: 'often' });
    const { types } = await overview();
    expect(Object.keys(types)).toHaveLength(LIMITS.typesShown);
    expect(types['often']).toMatchObject({ pending: 2 });
  });

  it('has no oldest pending task where all have ended, also behind one that did not', async () => {
    await subject.add({ key: 'first' }, { key: 'second' });
    await subject.queue.cancel([`${subject.name}~second`]);
    await subject.take(1);
    expect((await overview()).oldestPendingAgeMs).toBeUndefined();
  });

  needs('statistics').it('calls no age negative where the clock went back', async () => {
    await subject.addOne();
    subject.clock.advance(-1_000);
    expect((await overview()).oldestPendingAgeMs).toBe(0);
  });

  needs('tenants', 'statistics').it('says how long the oldest pending task has waited', async () => {
    expect((await subject.addOne({ delayMs: 1_000 })).state).toBe('scheduled');
    expect((await overview()).oldestPendingAgeMs).toBeUndefined();
    await subject.addOne({ priority: 6 });
    subject.clock.advance(300);
    await subject.addOne({ tenant: 'b' });
    subject.clock.advance(200);
    expect((await overview()).oldestPendingAgeMs).toBe(500);
    await subject.take(1);
    expect((await overview()).oldestPendingAgeMs).toBe(200);
    await subject.take(1);
    expect((await overview()).oldestPendingAgeMs).toBeUndefined();
  });

  needs('statistics').it('counts the wait of a promoted task from when it became pending', async () => {
    await subject.addOne({ delayMs: 1_000 });
    subject.clock.advance(1_000);
    await subject.queue.promote(subject.name);
    subject.clock.advance(50);
    expect((await overview()).oldestPendingAgeMs).toBe(50);
  });

  needs('statistics').it(
    'counts the wait of a task that its worker gave back from before its lease',
    async () => {
      await subject.addOne();
      subject.clock.advance(30);
      const leased = await subject.takeOne();
      subject.clock.advance(20);
      await subject.release(leased);
      expect((await overview()).oldestPendingAgeMs).toBe(50);
      await subject.takeOne();
      await subject.loseLeases();
      expect((await overview()).oldestPendingAgeMs).toBe(50 + LEASE_MS);
    },
  );

  needs('statistics').it('does not count the wait of tasks that were cancelled', async () => {
    const { id } = await subject.addOne();
    subject.clock.advance(50);
    await subject.addOne();
    await subject.cancel(id);
    expect((await overview()).oldestPendingAgeMs).toBe(0);
  });

  needs('statistics').it('says when the next task is due, and that one is overdue', async () => {
    await subject.addOne();
    expect((await overview()).nextDueInMs).toBeUndefined();
    await subject.add({ delayMs: 500 }, { delayMs: 200 });
    expect((await overview()).nextDueInMs).toBe(200);
    subject.clock.advance(250);
    expect((await overview()).nextDueInMs).toBe(-50);
  });

  needs('statistics').describe('minutes', () => {
    needs('ttl').it('count what happened', async () => {
      const at = Math.floor(subject.now / MINUTE_MS) * MINUTE_MS;
      await subject.add({}, {}, {}, {}, {}, { ttlMs: 20_000 });
      const [a, b, c, d] = await subject.take(4);
      if (!a || !b || !c || !d) throw new Error('expected four');
      await subject.complete(a);
      await subject.fail(b, { retryInMs: 30_000 });
      await subject.fail(c, { retryable: false });
      await subject.loseLeases();
      const [waiting] = (
        await subject.queue.list({ queue: subject.name, order: 'oldest', limit: 1, state: 'pending' })
      ).items;
      await subject.cancel(waiting?.id ?? '');
      subject.clock.advance(10_000);
      await subject.queue.promote(subject.name);
      expect((await overview()).minutes).toEqual([
        {
          at,
          enqueued: 6,
          started: 4,
          completed: 1,
          retried: 1,
          failed: 1,
          crashed: 1,
          cancelled: 1,
          expired: 1,
        },
      ]);
    });

    it('count a retry without delay and a last crash', async () => {
      await subject.addOne();
      await subject.fail(await subject.takeOne(), { retryInMs: 0 });
      for (let i = 0; i < 3; i += 1) {
        await subject.takeOne();
        await subject.loseLeases();
      }
      expect((await overview()).minutes[0]).toMatchObject({ started: 4, retried: 1, crashed: 3, failed: 1 });
    });

    it('count no repeats and no refusals', async () => {
      const leased = await subject.start({ key: 'k' });
      await subject.queue.enqueue([{ type: 'test.task', payload: '{"n":1}', queue: subject.name, key: 'k' }]);
      await subject.complete(leased);
      await subject.complete(leased);
      await subject.fail({ ...leased, leaseToken: 'wrong' });
      await subject.cancel(leased.id);
      expect((await overview()).minutes).toEqual([
        { ...noEvents, at: subject.now, enqueued: 1, started: 1, completed: 1 },
      ]);
    });

    it('are only those in which something happened, newest first, this one included', async () => {
      const first = subject.now;
      await subject.addOne();
      subject.clock.advance(3 * MINUTE_MS + 59_999);
      await subject.add({}, {});
      expect((await overview()).minutes).toEqual([
        { ...noEvents, at: first + 3 * MINUTE_MS, enqueued: 2 },
        { ...noEvents, at: first, enqueued: 1 },
      ]);
    });

    it('are at most the latest 60', async () => {
      await subject.addOne();
      subject.clock.advance(59 * MINUTE_MS);
      expect((await overview()).minutes).toHaveLength(1);
      subject.clock.advance(MINUTE_MS);
      expect((await overview()).minutes).toEqual([]);
    });
  });

  needs('queue-list').describe('queues', () => {
    needs('tenants', 'concurrency-limits').it(
      'are listed by name once they had a task or settings, in pages',
      async () => {
        const used = ['b', 'a', 'C', 'a.1', 'a-1', '_', '9'].map((suffix) => `${subject.name}.${suffix}`);
        const operated = ['configured', 'weighted', 'paused'].map((suffix) => `${subject.name}.${suffix}`);
        const names = [...used, ...operated];
        await subject.add(...used.map((queue) => ({ queue })), ...used.map((queue) => ({ queue })));
        await subject.lease(1, { queue: `${subject.name}.leased` });
        await subject.queue.configure(`${subject.name}.configured`, { concurrency: 1 });
        await subject.queue.configureTenant(`${subject.name}.weighted`, 'a', { weight: 2 });
        await subject.queue.pause(`${subject.name}.paused`);
        for (const limit of [1, 2, 100]) {
          const found: string[] = [];
          for await (const page of pagesOf((cursor) => subject.queue.queues(limit, cursor))) {
            expect(page.length).toBeLessThanOrEqual(limit);
            found.push(...page);
          }
          expect(found).toEqual([...found].sort());
          expect(found.filter((name) => name.startsWith(`${subject.name}.`))).toEqual([...names].sort());
        }
      },
    );

    it('go on after any name', async () => {
      await subject.add({ queue: `${subject.name}.a` }, { queue: `${subject.name}.c` });
      expect((await subject.queue.queues(1, `${subject.name}.b`)).items).toEqual([`${subject.name}.c`]);
    });
  });

  it('the store can be probed', async () => {
    const { writeMs, readMs } = await subject.queue.probe();
    expect(writeMs).toBeGreaterThanOrEqual(0);
    expect(readMs).toBeGreaterThanOrEqual(0);
  });
}
