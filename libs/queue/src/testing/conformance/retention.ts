import { LIMITS, RETENTION } from '../../core/limits.js';
import { TERMINAL_STATES, type TaskId, type TerminalState } from '../../core/task.js';
import { needs } from './needs.js';
import { keysOf, only, useSubject, type Setup } from './subject.js';

export function describeRetention(setup: Setup): void {
  const subject = useSubject(setup);

  const prune = () => subject.queue.prune(subject.name);
  const pruneAll = async () => {
    let count = 0;
    for (let more = true; more;) {
      const result = await prune();
      count += result.count;
      more = result.more;
    }
    return count;
  };
  const endIn = async (state: TerminalState): Promise<TaskId> => {
    const { id } = await subject.addOne({ ttlMs: 1_000_000 });
    if (state === 'cancelled') await subject.cancel(id);
    else if (state === 'expired') {
      subject.clock.advance(1_000_000);
      await subject.queue.promote(subject.name);
    } else {
      const leased = await subject.takeOne();
      if (state === 'completed') await subject.complete(leased);
      else await subject.fail(leased, { retryable: false });
    }
    expect(await subject.stateOf(id)).toBe(state);
    return id;
  };

  needs('ttl', 'combined-lists', 'retention').it.each(TERMINAL_STATES)(
    'keeps a %s task for its time, then removes all of it',
    async (state) => {
      const id = await endIn(state);
      subject.clock.advance(RETENTION[state].ageMsMax);
      expect(await prune()).toMatchObject({ count: 0, more: false });
      expect(await subject.stateOf(id)).toBe(state);
      subject.clock.advance(1);
      expect(await prune()).toMatchObject({ count: 1, more: false });
      expect(await subject.find(id)).toBeUndefined();
      expect(await subject.queue.logs(id)).toEqual([]);
      expect((await subject.queue.list({ queue: subject.name, order: 'oldest', limit: 9 })).items).toEqual(
        [],
      );
      const [overview] = await subject.queue.overview([subject.name]);
      expect(Object.values(overview?.states ?? {})).toEqual(Array(8).fill(0));
      expect(overview?.types).toEqual({});
      expect(await prune()).toMatchObject({ count: 0, more: false });
    },
  );

  needs('combined-lists', 'retention').it(
    'lists a key once that is used again after its task was removed',
    async () => {
      await subject.addOne({ key: 'older', delayMs: LIMITS.delayMsMax });
      await subject.addOne({ key: 'again' });
      await subject.complete(await subject.takeOne());
      subject.clock.advance(RETENTION.completed.ageMsMax + 1);
      await pruneAll();
      await subject.addOne({ key: 'again' });
      for (const order of ['oldest', 'newest'] as const) {
        const { items } = await subject.queue.list({ queue: subject.name, order, limit: 9 });
        const keys = keysOf(items);
        expect(order === 'oldest' ? keys : keys.reverse()).toEqual(['older', 'again']);
      }
    },
  );

  it('leaves tasks alone that have not ended, however old', async () => {
    await subject.add({}, { delayMs: LIMITS.delayMsMax });
    await subject.takeOne();
    const { id } = await subject.addOne();
    subject.clock.advance(RETENTION.failed.ageMsMax * 10);
    expect(await prune()).toMatchObject({ count: 0, more: false });
    expect(await subject.stateOf(id)).toBe('pending');
  });

  it('counts the age from the end, not from acceptance', async () => {
    const { id } = await subject.addOne();
    subject.clock.advance(RETENTION.cancelled.ageMsMax * 2);
    await subject.cancel(id);
    expect((await prune()).count).toBe(0);
  });

  needs('retention').it(
    'removes the oldest beyond a number of tasks, a bounded number at a time',
    async () => {
      const { tasksMax } = RETENTION.cancelled;
      const extra = LIMITS.pruneTasksMax + 20;
      const ids: TaskId[] = [];
      while (ids.length < tasksMax + extra) {
        const batch = await subject.add(
          ...Array.from({ length: Math.min(1_000, tasksMax + extra - ids.length) }, () => ({
            payload: undefined,
          })),
        );
        await subject.queue.cancel(batch.map(({ id }) => id));
        ids.push(...batch.map(({ id }) => id));
        subject.clock.advance(1);
      }
      expect(await prune()).toMatchObject({ count: LIMITS.pruneTasksMax });
      expect(await pruneAll()).toBe(20);
      expect(await subject.find(ids[extra - 1] ?? '')).toBeUndefined();
      expect(await subject.find(ids[extra] ?? '')).toBeDefined();
    },
    60_000,
  );

  needs('retention').it(
    'removes the oldest beyond a number of bytes of payload and result',
    async () => {
      const { bytesMax } = RETENTION.cancelled;
      const payload = JSON.stringify('x'.repeat(LIMITS.payloadBytesMax - 2));
      const fitting = Math.floor(bytesMax / (LIMITS.payloadBytesMax + LIMITS.taskOverheadBytes));
      const ids: TaskId[] = [];
      for (let i = 0; i < fitting + 2; i += 1) {
        const { id } = await subject.addOne({ payload });
        await subject.cancel(id);
        ids.push(id);
        subject.clock.advance(1);
      }
      expect(await pruneAll()).toBe(2);
      expect(await subject.find(ids[1] ?? '')).toBeUndefined();
      expect(await subject.find(ids[2] ?? '')).toBeDefined();
      // Retried ones no longer count: room for two more.
      await subject.queue.retry([ids[2] ?? '', ids[3] ?? '']);
      for (let i = 0; i < 2; i += 1) await subject.cancel((await subject.addOne({ payload })).id);
      expect(await pruneAll()).toBe(0);
    },
    60_000,
  );

  needs('ttl', 'retention').it('judges each state by its own bounds', async () => {
    const failed = await endIn('failed');
    const completed = await endIn('completed');
    subject.clock.advance(RETENTION.completed.ageMsMax + 1);
    expect((await prune()).count).toBe(1);
    expect(await subject.find(completed)).toBeUndefined();
    expect(await subject.stateOf(failed)).toBe('failed');
  });

  needs('retention').it('lets the id of a removed task be used again', async () => {
    const { id } = await subject.addOne({ key: 'k' });
    await subject.cancel(id);
    subject.clock.advance(RETENTION.cancelled.ageMsMax + 1);
    await prune();
    const again = only(await subject.add({ key: 'k', payload: '2' }));
    expect(await subject.get(id)).toEqual(again);
    expect((await subject.takeOne()).payload).toBe('2');
  });

  needs('retention').it('answers for a removed task as for one that never was', async () => {
    const leased = await subject.start();
    await subject.complete(leased);
    subject.clock.advance(RETENTION.completed.ageMsMax + 1);
    await prune();
    expect(await subject.complete(leased)).toMatchObject({ error: { code: 'task-not-found' } });
    expect(await subject.cancel(leased.id)).toMatchObject({ error: { code: 'task-not-found' } });
    expect(await subject.queue.waitForEnd(leased.id, 10)).toBeUndefined();
  });
}
