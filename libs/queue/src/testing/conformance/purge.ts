import { LIMITS } from '../../core/limits.js';
import type { ListQuery } from '../../core/ports/inspector.js';
import type { PurgeRequest } from '../../core/ports/operator.js';
import { TERMINAL_STATES, type TaskId, type TaskState, type TerminalState } from '../../core/task.js';
import { newTask } from '../builders.js';
import { listAll } from '../invariants.js';
import { needs } from './needs.js';
import { keysOf, refusalOf, useSubject, type Setup } from './subject.js';

export function describePurge(setup: Setup): void {
  const subject = useSubject(setup);
  const purge = (state: PurgeRequest['state'], tenant?: string) =>
    subject.queue.purge({ queue: subject.name, state, tenant });
  const keys = async (query: Partial<ListQuery> = {}) =>
    keysOf(await listAll(subject.queue, { queue: subject.name, ...query })).sort();

  /** One task in each state, each with its state as key. */
  const oneInEachState = async () => {
    await subject.addOne({ key: 'expired', ttlMs: 1 });
    subject.clock.advance(1);
    await subject.queue.promote(subject.name);
    for (const key of ['completed', 'failed', 'retrying', 'running']) {
      const leased = await subject.start({ key });
      if (key === 'completed') await subject.complete(leased, '1');
      if (key === 'failed') await subject.fail(leased, { retryable: false, logs: ['line'] });
      if (key === 'retrying') await subject.fail(leased, { retryInMs: 1_000 });
    }
    await subject.add({ key: 'pending' }, { key: 'scheduled', delayMs: 1_000 }, { key: 'cancelled' });
    await subject.cancel(subject.id('cancelled'));
  };
  const ended = async (state: TerminalState): Promise<TaskId> => {
    await oneInEachState();
    return subject.id(state);
  };

  describe('a purge', () => {
    needs('ttl').it('of what is pending cancels it', async () => {
      await oneInEachState();
      subject.clock.advance(5);
      expect(await purge('pending')).toEqual({ count: 1, more: false });
      expect(await keys({ state: 'cancelled' })).toEqual(['cancelled', 'pending']);
      expect(await subject.get(subject.id('pending'))).toMatchObject({
        state: 'cancelled',
        finishedAt: subject.now,
      });
      expect(await subject.lease(9)).toMatchObject({ tasks: [], more: false });
    });

    needs('ttl').it('of what waits cancels what is scheduled and retrying, too', async () => {
      await oneInEachState();
      expect(await purge('waiting')).toEqual({ count: 3, more: false });
      expect(await keys({ state: 'cancelled' })).toEqual(['cancelled', 'pending', 'retrying', 'scheduled']);
      expect(await subject.stateOf(subject.id('running'))).toBe('running');
      expect(await subject.overview()).toMatchObject({ backlog: 0 });
      expect((await subject.overview()).nextDueInMs).toBeUndefined();
      subject.clock.advance(1_000);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    });

    needs('ttl', 'combined-lists').it.each(TERMINAL_STATES)(
      'of %s tasks removes them, and no others',
      async (state) => {
        await oneInEachState();
        const all = await keys();
        expect(await purge(state)).toEqual({ count: 1, more: false });
        expect(await keys()).toEqual(all.filter((key) => key !== state));
        expect(await subject.find(subject.id(state))).toBeUndefined();
        expect(await subject.queue.logs(subject.id(state))).toEqual([]);
      },
    );

    it('may be repeated, and may find nothing', async () => {
      expect(await purge('waiting')).toEqual({ count: 0, more: false });
      await subject.add({}, {});
      expect(await purge('waiting')).toEqual({ count: 2, more: false });
      expect(await purge('waiting')).toEqual({ count: 0, more: false });
      expect(await purge('cancelled')).toEqual({ count: 2, more: false });
      expect(await purge('cancelled')).toEqual({ count: 0, more: false });
    });

    it.each(['pending', 'waiting', 'cancelled'] as const)(
      'of %s takes a bounded number at a time',
      async (state) => {
        const many = LIMITS.purgeTasksMax + 20;
        await subject.add(...Array.from({ length: many }, () => ({ delayMs: state === 'pending' ? 0 : 5 })));
        if (state === 'cancelled') {
          await purge('waiting');
          await purge('waiting');
        }
        expect(await purge(state)).toEqual({ count: LIMITS.purgeTasksMax, more: true });
        expect(await purge(state)).toEqual({ count: 20, more: false });
      },
    );

    needs('tenants').it('of a tenant cancels what is pending of it', async () => {
      await subject.add(
        { key: 'a1', tenant: 'a' },
        { key: 'a6', tenant: 'a', priority: 6 },
        { key: 'later', tenant: 'a', delayMs: 5 },
        { key: 'b1', tenant: 'b' },
      );
      expect(await purge('pending', 'a')).toEqual({ count: 2, more: false });
      expect(await keys({ state: 'cancelled' })).toEqual(['a1', 'a6']);
      expect(await subject.keys(9)).toEqual(['b1']);
      expect(await subject.stateOf(subject.id('later'))).toBe('scheduled');
    });

    needs('tenants', 'ordering-keys').it(
      'of a tenant reaches what may not start, and what stepped aside',
      async () => {
        await subject.addOf('a', 3, { orderingKey: 'o' });
        await subject.take(9);
        await subject.queue.pause(subject.name, 'a');
        await subject.add({ key: 'a4', tenant: 'a' });
        await subject.take(9);
        expect(await purge('pending', 'a')).toEqual({ count: 3, more: false });
        await subject.queue.resume(subject.name, 'a');
        expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
      },
    );

    needs('tenants', 'fifo').it('reaches a FIFO queue', async () => {
      await subject.configure({ mode: 'fifo' });
      await subject.addOf('a', 3);
      const leased = await subject.takeOne();
      expect(await purge('pending')).toEqual({ count: 2, more: false });
      await subject.addOne({ key: 'next' });
      await subject.complete(leased);
      expect(await subject.keys(9)).toEqual(['next']);
    });

    it('tells those who wait for an end', async () => {
      const { id } = await subject.addOne();
      const waiting = subject.queue.waitForEnd(id, 60_000);
      await purge('pending');
      expect(await waiting).toMatchObject({ id, state: 'cancelled' });
    });

    needs('statistics').it('counts what it cancels', async () => {
      await subject.add({}, {});
      await purge('pending');
      expect((await subject.overview()).minutes).toMatchObject([{ enqueued: 2, cancelled: 2 }]);
    });

    it('leaves cancelled tasks that can be retried', async () => {
      const { id } = await subject.addOne();
      await purge('waiting');
      expect(await subject.retry(id)).toMatchObject({ status: 'done' });
      expect(await subject.take(9)).toHaveLength(1);
    });

    it('makes no queue known', async () => {
      await purge('completed');
      expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
    });

    const isInvalid = async (request: Partial<PurgeRequest>, pointer: string) => {
      await subject.addOne();
      await expect(
        subject.queue.purge({ queue: subject.name, state: 'pending', ...request }),
      ).rejects.toMatchObject({ code: 'invalid-request', data: { pointer } });
      expect(await subject.take(1)).toHaveLength(1);
    };
    it.each<[string, unknown]>([
      ['of what runs', 'running'],
      ['of what is scheduled', 'scheduled'],
      ['of nothing known', 'nonsense'],
    ])('%s is refused', (_, state) => isInvalid({ state: state as PurgeRequest['state'] }, '/state'));
    needs('tenants').it.each<PurgeRequest['state']>(['waiting', 'completed'])(
      'of a tenant in what is %s is refused',
      (state) => isInvalid({ state, tenant: 'a' }, '/tenant'),
    );
  });

  describe('a removal', () => {
    needs('ttl', 'combined-lists').it.each(TERMINAL_STATES)(
      'of a %s task leaves nothing of it, and answers what it was',
      async (state) => {
        const id = await ended(state);
        const task = await subject.get(id);
        expect(await subject.remove(id)).toEqual({ status: 'done', task });
        expect(await subject.find(id)).toBeUndefined();
        expect(await subject.queue.logs(id)).toEqual([]);
        expect(await keys({ state })).toEqual([]);
        expect(await keys()).not.toContain(state);
        expect((await subject.overview()).states[state]).toBe(0);
      },
    );

    needs('ttl').it.each<TaskState>(['scheduled', 'pending', 'running', 'retrying'])(
      'of a %s task is refused, and changes nothing',
      async (state) => {
        await oneInEachState();
        const before = await subject.everythingOf(subject.id(state));
        expect(await subject.remove(subject.id(state))).toMatchObject({
          status: 'refused',
          error: { code: 'wrong-state', data: { state } },
        });
        expect(await subject.everythingOf(subject.id(state))).toEqual(before);
      },
    );

    needs('ttl').it('finds nothing where it is repeated, or where there is no such task', async () => {
      const id = await ended('completed');
      await subject.remove(id);
      expect(refusalOf(await subject.remove(id))).toBe('task-not-found');
      expect(refusalOf(await subject.remove(subject.id('nobody')))).toBe('task-not-found');
    });

    it('answers each id in order, also one given twice, over several queues', async () => {
      const other = `${subject.name}.other`;
      const [here, there, open] = await subject.add({}, { queue: other }, {});
      await subject.queue.cancel([here?.id ?? '', there?.id ?? '']);
      const ids = [there?.id ?? '', open?.id ?? '', here?.id ?? '', here?.id ?? ''];
      const outcomes = await subject.queue.remove(ids);
      expect(outcomes.map((outcome) => refusalOf(outcome) ?? outcome.status)).toEqual([
        'done',
        'wrong-state',
        'done',
        'task-not-found',
      ]);
      expect(await subject.queue.remove([])).toEqual([]);
    });

    needs('idempotency-keys', 'combined-lists').it(
      'frees the key for another task, and not the idempotency key',
      async () => {
        const idempotency = { key: 'i', fingerprint: 'f' };
        const { id } = await subject.addOne({ key: 'k', idempotency });
        await subject.cancel(id);
        await subject.remove(id);
        expect((await subject.addOne({ key: 'k', payload: '2' })).id).toBe(id);
        expect(await keys()).toEqual(['k']);
        await subject.cancel(id);
        await subject.remove(id);
        const [outcome] = await subject.queue.enqueue([newTask({ queue: subject.name, idempotency })]);
        expect(refusalOf(outcome)).toBe('task-gone');
      },
    );

    it('leaves nothing that a late settlement could find', async () => {
      const leased = await subject.start();
      await subject.complete(leased);
      await subject.remove(leased.id);
      expect(refusalOf(await subject.complete(leased))).toBe('task-not-found');
    });

    needs('ttl').it('is answered to those who ask for the end afterwards with nothing', async () => {
      const id = await ended('failed');
      await subject.remove(id);
      expect(await subject.queue.waitForEnd(id, 60_000)).toBeUndefined();
    });
  });

  describe('a deletion of the queue', () => {
    const remove = () => subject.queue.deleteQueue(subject.name);
    /** Used, configured and paused in every way, with nothing open. */
    const used = async () => {
      await subject.configure({ concurrency: 9, tenants: { weight: 2 } });
      await subject.configureTenant('a', { weight: 5 });
      await subject.addOf('a', 3);
      for (const leased of await subject.take(3)) await subject.complete(leased);
      await subject.queue.pause(subject.name, 'a');
      await subject.queue.pause(subject.name);
      await subject.queue.drain(subject.name);
    };

    needs('tenants', 'concurrency-limits', 'drain', 'combined-lists').it(
      'forgets its tasks, settings, pauses and statistics',
      async () => {
        await used();
        expect(await remove()).toEqual({ count: 3, more: false });
        expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
        expect(await subject.queue.settings(subject.name)).toEqual({});
        expect(await subject.queue.tenants(subject.name, 9)).toEqual({ items: [] });
        expect(await keys()).toEqual([]);
        expect(await subject.tenant('a')).toMatchObject({
          settings: {},
          paused: false,
          startedThisMinute: 0,
        });
      },
    );

    needs('tenants', 'concurrency-limits', 'drain', 'statistics').it(
      'leaves a name that can be used anew',
      async () => {
        await used();
        await remove();
        await subject.addOf('a', 2);
        expect(await subject.overview()).toMatchObject({
          paused: false,
          draining: false,
          backlog: 2,
          states: { pending: 2, completed: 0 },
          minutes: [{ enqueued: 2, completed: 0 }],
        });
        expect((await subject.overview()).waits.every((count) => count === 0)).toBe(true);
        expect(await subject.keys(9)).toEqual(['a1', 'a2']);
      },
    );

    needs('tenants', 'concurrency-limits', 'drain', 'queue-list').it('still lists the name', async () => {
      await used();
      await remove();
      expect((await subject.queue.queues(1_000)).items).toContain(subject.name);
    });

    needs('tenants', 'stealing').it('forgets who had how much', async () => {
      await subject.addOf('a', 3);
      await subject.addOf('b', 1);
      for (const leased of await subject.take(4, { tenants: ['b'] })) await subject.complete(leased);
      await remove();
      await subject.addOf('b', 2);
      await subject.addOf('a', 2);
      expect(await subject.keys(4)).toEqual(['a1', 'b1', 'a2', 'b2']);
    });

    needs('rate-limits').it('forgets its rate', async () => {
      await subject.configure({ rate: { limit: 1, perMs: 60_000 } });
      await subject.complete(await subject.start());
      await remove();
      await subject.configure({ rate: { limit: 1, perMs: 60_000 } });
      await subject.addOne();
      expect(await subject.take(1)).toHaveLength(1);
    });

    needs('concurrency-limits', 'combined-lists').it.each<TaskState>([
      'scheduled',
      'pending',
      'running',
      'retrying',
    ])('is refused while a task is %s, and changes nothing', async (state) => {
      await subject.configure({ concurrency: 9 });
      if (state === 'running' || state === 'retrying') {
        const leased = await subject.start();
        if (state === 'retrying') await subject.fail(leased, { retryInMs: 1_000 });
      } else {
        await subject.addOne({ delayMs: state === 'scheduled' ? 1_000 : 0 });
      }
      const before = await keys();
      await expect(remove()).rejects.toMatchObject({ code: 'queue-not-empty', kind: 'conflict' });
      expect(await keys()).toEqual(before);
      expect(await subject.queue.settings(subject.name)).toEqual({ concurrency: 9 });
    });

    needs('concurrency-limits').it(
      'takes a bounded number of tasks at a time, and the rest of the queue with the last',
      async () => {
        const many = LIMITS.purgeTasksMax + 20;
        await subject.configure({ concurrency: 9 });
        await subject.add(...Array.from({ length: many }, () => ({ delayMs: 5 })));
        await purge('waiting');
        await purge('waiting');
        expect(await remove()).toEqual({ count: LIMITS.purgeTasksMax, more: true });
        expect(await subject.queue.settings(subject.name)).toEqual({ concurrency: 9 });
        expect(await remove()).toEqual({ count: 20, more: false });
        expect(await subject.queue.settings(subject.name)).toEqual({});
      },
    );

    needs('tenants', 'concurrency-limits', 'drain').it('may be repeated, and may find nothing', async () => {
      expect(await remove()).toEqual({ count: 0, more: false });
      expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
      await used();
      await remove();
      expect(await remove()).toEqual({ count: 0, more: false });
    });

    needs('tenants', 'concurrency-limits', 'drain').it('leaves other queues alone', async () => {
      const other = `${subject.name}.other`;
      await subject.add({ queue: other });
      await used();
      await remove();
      expect(await subject.take(1, { queue: other })).toHaveLength(1);
    });

    needs('idempotency-keys').it('remembers idempotency keys', async () => {
      const idempotency = { key: 'i', fingerprint: 'f' };
      await subject.cancel((await subject.addOne({ idempotency })).id);
      await remove();
      const [outcome] = await subject.queue.enqueue([newTask({ queue: subject.name, idempotency })]);
      expect(refusalOf(outcome)).toBe('task-gone');
    });
  });
}
