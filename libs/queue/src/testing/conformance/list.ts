import { LIMITS } from '../../core/limits.js';
import type { ListQuery } from '../../core/ports/inspector.js';
import { TASK_STATES, type TaskState } from '../../core/task.js';
import { uniqueQueue } from '../builders.js';
import { listAll } from '../invariants.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, only, useSubject, type Setup } from './subject.js';

export function describeList(setup: Setup): void {
  const subject = useSubject(setup);

  const list = (query: Partial<ListQuery> = {}) =>
    subject.queue.list({ queue: subject.name, order: 'oldest', limit: 100, ...query });
  const keys = async (query: Partial<ListQuery> = {}) =>
    keysOf(await listAll(subject.queue, { queue: subject.name, ...query }));

  needs('combined-lists').it('is empty for a queue nobody knows', async () => {
    expect(await list({ queue: uniqueQueue() })).toEqual({ items: [] });
    expect(await list({ queue: uniqueQueue(), state: 'failed' })).toEqual({ items: [] });
  });

  needs('tenants', 'combined-lists').it(
    'shows tasks of every state by time of acceptance, both ways',
    async () => {
      await subject.add(
        { key: 'c', priority: 1 },
        { key: 'a', delayMs: 50 },
        { key: 'b', tenant: 'x', priority: 6 },
      );
      subject.clock.advance(1);
      await subject.addOne({ key: '0' });
      await subject.complete(await subject.takeOne());
      expect(await keys()).toEqual(['c', 'a', 'b', '0']);
      expect(await keys({ order: 'newest' })).toEqual(['0', 'b', 'a', 'c']);
    },
  );

  needs('metadata', 'combined-lists').it(
    'leaves out payload, result and errors unless all is asked for',
    async () => {
      const leased = await subject.start({ tags: ['t'], metadata: { a: '1' } });
      await subject.fail(leased, { retryInMs: 0 });
      await subject.queue.extend([await subject.takeOne()], LEASE_MS);
      const task = await subject.get(leased.id);
      expect(only((await list({ full: true })).items)).toEqual(task);
      const brief = only((await list()).items);
      expect(brief).toEqual({ ...task, payload: undefined, result: undefined, errors: [] });
    },
  );

  it('shows results where all is asked for', async () => {
    const leased = await subject.start();
    await subject.complete(leased, '{"r":1}');
    expect(only((await list({ full: true, state: 'completed' })).items).result).toBe('{"r":1}');
    expect(only((await list({ state: 'completed' })).items).result).toBeUndefined();
  });

  describe('order', () => {
    it('of scheduled tasks is by due time', async () => {
      await subject.add(
        { key: 'late', delayMs: 300 },
        { key: 'soon', delayMs: 100 },
        { key: 'mid', delayMs: 200 },
      );
      expect(await keys({ state: 'scheduled' })).toEqual(['soon', 'mid', 'late']);
      expect(await keys({ state: 'scheduled', order: 'newest' })).toEqual(['late', 'mid', 'soon']);
    });

    it('of retrying tasks is by due time, and leaves scheduled ones out', async () => {
      await subject.add({ key: 'a' }, { key: 'b' });
      const [a, b] = await subject.take(2);
      if (!a || !b) throw new Error('expected two');
      await subject.fail(a, { retryInMs: 300 });
      await subject.fail(b, { retryInMs: 200 });
      await subject.addOne({ key: 'scheduled', delayMs: 250 });
      expect(await keys({ state: 'retrying' })).toEqual(['b', 'a']);
      expect(await keys({ state: 'scheduled' })).toEqual(['scheduled']);
    });

    needs('deadlines').it('of running tasks is by lease deadline', async () => {
      await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
      await subject.take(1, { leaseMs: 5_000 });
      await subject.take(1, { leaseMs: 3_000 });
      await subject.take(1, { leaseMs: 4_000 });
      expect(await keys({ state: 'running' })).toEqual(['b', 'c', 'a']);
    });

    needs('tenants').it('of pending tasks is by acceptance, whatever their priority', async () => {
      await subject.add({ key: 'b' }, { key: 'a', priority: 6 }, { key: 'c', tenant: 'z' });
      expect(await keys({ state: 'pending' })).toEqual(['b', 'a', 'c']);
      expect(await keys({ state: 'pending', order: 'newest' })).toEqual(['c', 'a', 'b']);
    });

    it.each(['completed', 'failed'] as const)('of %s tasks is by end', async (state) => {
      await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
      const [a, b, c] = await subject.take(3);
      for (const leased of [b, c, a]) {
        if (!leased) throw new Error('expected three');
        subject.clock.advance(1);
        if (state === 'completed') await subject.complete(leased);
        else await subject.fail(leased, { retryable: false });
      }
      expect(await keys({ state })).toEqual(['b', 'c', 'a']);
      expect(await keys({ state, order: 'newest' })).toEqual(['a', 'c', 'b']);
    });

    it('of cancelled tasks is by end', async () => {
      await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
      for (const key of ['b', 'c', 'a']) {
        subject.clock.advance(1);
        await subject.cancel(subject.id(key));
      }
      expect(await keys({ state: 'cancelled' })).toEqual(['b', 'c', 'a']);
      expect(await keys({ state: 'cancelled', order: 'newest' })).toEqual(['a', 'c', 'b']);
    });

    needs('ttl').it('of expired tasks is by end', async () => {
      await subject.add({ key: 'a', ttlMs: 20 }, { key: 'b', ttlMs: 10 });
      for (let i = 0; i < 2; i += 1) {
        subject.clock.advance(10);
        await subject.queue.promote(subject.name);
      }
      expect(await keys({ state: 'expired' })).toEqual(['b', 'a']);
    });
  });

  needs('tenants', 'metadata').describe('filters', () => {
    beforeEach(async () => {
      await subject.add(
        { key: '1', type: 'mail', tenant: 'a', tags: ['x', 'y'] },
        { key: '2', type: 'mail', tenant: 'b', tags: ['y'] },
        { key: '3', type: 'mail.send', tenant: 'a', tags: ['xy'] },
        { key: '4', type: 'mail', tenant: 'a', tags: [], delayMs: 10 },
      );
    });

    needs('combined-lists').it.each<[Partial<ListQuery>, string[]]>([
      [{ type: 'mail' }, ['1', '2', '4']],
      [{ tenant: 'a' }, ['1', '3', '4']],
      [{ tag: 'y' }, ['1', '2']],
      [{ tag: 'x' }, ['1']],
      [{ type: 'mail', tenant: 'a' }, ['1', '4']],
      [{ type: 'mail', tenant: 'a', state: 'pending' }, ['1']],
      [{ type: 'mail', tenant: 'a', state: 'scheduled' }, ['4']],
      [{ type: 'mai' }, []],
      [{ type: 'mail*' }, []],
      [{ tenant: 'a', tag: 'nobody' }, []],
    ])('%j shows what matches all of it', async (query, expected) => {
      expect(await keys(query)).toEqual(expected);
      expect(await keys({ ...query, order: 'newest' })).toEqual([...expected].reverse());
      expect(await keys({ ...query, limit: 1 })).toEqual(expected);
    });
  });

  needs('ttl').it('shows each task in the list of its state and in no other', async () => {
    const inState = await oneInEachState(subject);
    for (const state of TASK_STATES) expect(await keys({ state })).toEqual([inState[state]]);
  });

  describe('pages', () => {
    const combined: [string, Partial<ListQuery>][] = [
      ['every state', {}],
      ['every state, newest first', { order: 'newest' }],
    ];
    const queries: [string, Partial<ListQuery>][] = [
      ['pending', { state: 'pending' }],
      ['scheduled', { state: 'scheduled' }],
      ['scheduled, newest first', { state: 'scheduled', order: 'newest' }],
      ['cancelled', { state: 'cancelled' }],
      ['cancelled, newest first', { state: 'cancelled', order: 'newest' }],
      ['running', { state: 'running' }],
    ];

    it.each(queries)('of %s join to the whole list, without repeats or gaps', (_, query) => join(query));
    needs('combined-lists').it.each(combined)('with %s join to the whole list, too', (_, query) =>
      join(query),
    );
    const join = async (query: Partial<ListQuery>) => {
      await fill(12);
      const whole = await keys(query);
      expect(whole).toHaveLength(query.state ? 12 : 48);
      for (const limit of [1, 5, 12]) {
        expect(await keys({ ...query, limit })).toEqual(whole);
      }
    };

    needs('stable-pages').it.each(queries)('of %s stay stable while tasks are added', (_, query) =>
      stay(query),
    );
    needs('combined-lists').it.each(combined)('with %s stay stable, too', (_, query) => stay(query));
    const stay = async (query: Partial<ListQuery>) => {
      await fill(6);
      const before = await keys(query);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await list({ ...query, limit: 2, cursor });
        seen.push(...keysOf(page.items));
        cursor = page.nextCursor;
        if (seen.length < 20) await fill(1);
      } while (cursor !== undefined && seen.length < 200);
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((key) => before.includes(key))).toEqual(before);
    };

    needs('stable-pages').it('go on where the last task of a page has left the list', async () => {
      await subject.add(...Array.from({ length: 6 }, (_, i) => ({ key: `k${i}`, delayMs: 10 })));
      const first = await list({ state: 'scheduled', limit: 3 });
      await subject.cancel(subject.id('k2'));
      const rest = await list({ state: 'scheduled', limit: 9, cursor: first.nextCursor });
      expect(keysOf([...first.items, ...rest.items])).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5']);
    });

    needs('combined-lists').it('look at a bounded number of tasks, and say where they stopped', async () => {
      await subject.add(...Array.from({ length: LIMITS.listExaminedMax }, () => ({})));
      await subject.addOne({ key: 'needle', type: 'needle' });
      const page = await list({ type: 'needle' });
      expect(page.items).toEqual([]);
      expect(page.nextCursor).toBeDefined();
      expect(await keys({ type: 'needle' })).toEqual(['needle']);
      expect(keysOf((await list({ type: 'needle', order: 'newest', limit: 1 })).items)).toEqual(['needle']);
    });

    needs('combined-lists').it.each([0, -1, 1.5, NaN, LIMITS.listLimitMax + 1])(
      'of %d tasks are refused',
      async (limit) => {
        await expect(list({ limit })).rejects.toMatchObject({ code: 'invalid-request' });
      },
    );

    needs('combined-lists').it.each([
      'nonsense',
      '',
      '{}',
      'W10',
      'bnVsbA',
      '-1',
      '0',
      '9'.repeat(400),
      '../..',
      '\u0000',
    ])('refuse the cursor %j', async (cursor) => {
      await subject.addOne();
      await expect(list({ cursor })).rejects.toMatchObject({ code: 'invalid-cursor', kind: 'invalid' });
      await expect(list({ cursor, state: 'scheduled' })).rejects.toMatchObject({ code: 'invalid-cursor' });
    });

    needs('combined-lists').it('refuse the cursor of another list', async () => {
      await subject.add({}, {}, {});
      const { nextCursor } = await list({ limit: 1 });
      expect(nextCursor).toBeDefined();
      const invalid = { code: 'invalid-cursor' };
      await expect(list({ cursor: nextCursor, state: 'cancelled' })).rejects.toMatchObject(invalid);
      await expect(list({ cursor: nextCursor, order: 'newest' })).rejects.toMatchObject(invalid);
      await expect(list({ cursor: nextCursor, queue: uniqueQueue() })).rejects.toMatchObject(invalid);
    });

    let filled = 0;
    /** Adds `count` tasks to each of four states, in an order of keys that is not that of acceptance. */
    async function fill(count: number): Promise<void> {
      const key = () => `${((filled += 1) * 7_919) % 10_007}-${filled}`;
      const some = (given: object) => Array.from({ length: count }, () => ({ key: key(), ...given }));
      const cancelled = await subject.add(...some({ delayMs: 1_000 }));
      await subject.queue.cancel(cancelled.map(({ id }) => id));
      await subject.add(...some({ priority: 6 }));
      await subject.take(count);
      await subject.add(...some({}), ...some({ delayMs: 50 }));
      subject.clock.advance(1);
    }
  });

  it('get answers in order, and for ids of several queues', async () => {
    const [a, b] = await subject.add({ key: 'a' }, { key: 'b', queue: `${subject.name}.other` });
    const ids = [b?.id ?? '', `${subject.name}~nobody`, a?.id ?? '', b?.id ?? ''];
    expect((await subject.queue.get(ids)).map((task) => task?.id)).toEqual([b?.id, undefined, a?.id, b?.id]);
    expect(await subject.queue.get([])).toEqual([]);
  });
}

async function oneInEachState(subject: ReturnType<typeof useSubject>): Promise<Record<TaskState, string>> {
  const { queue, name } = subject;
  await subject.addOne({ key: 'expired', ttlMs: 1 });
  subject.clock.advance(1);
  await queue.promote(name);
  for (const key of ['completed', 'failed', 'retrying']) {
    const leased = await subject.start({ key });
    if (key === 'completed') await subject.complete(leased);
    else if (key === 'failed') await subject.fail(leased, { retryable: false });
    else await subject.fail(leased, { retryInMs: 1_000 });
  }
  await subject.start({ key: 'running' });
  await subject.add({ key: 'pending' }, { key: 'scheduled', delayMs: 1_000 }, { key: 'cancelled' });
  await subject.cancel(`${name}~cancelled`);
  return Object.fromEntries(TASK_STATES.map((state) => [state, state])) as Record<TaskState, string>;
}
