import type { LeasedTask } from '../../core/ports/consumer.js';
import type { Priority } from '../../core/task.js';
import { newTask } from '../builders.js';
import { needs } from './needs.js';
import { keysOf, only, refusalOf, SHORT_MS, useSubject, type Setup } from './subject.js';

export function describeUpdate(setup: Setup): void {
  const subject = useSubject(setup);
  const setPriority = (key: string, priority: Priority) => subject.update({ id: subject.id(key), priority });
  const setTime = (key: string, runAtMs: number) => subject.update({ id: subject.id(key), runAtMs });
  const startRetrying = async (key: string) => {
    const leased = await subject.start({ key });
    await subject.fail(leased, { retryInMs: 1_000 });
    return leased;
  };

  describe('of the priority', () => {
    it('moves a pending task to the tail of its new lane', async () => {
      await subject.add({ key: 'a', priority: 2 }, { key: 'b', priority: 5 }, { key: 'c', priority: 2 });
      const outcome = await setPriority('a', 5);
      const task = await subject.get(subject.id('a'));
      expect(outcome).toEqual({ status: 'done', task });
      expect(task).toMatchObject({ state: 'pending', priority: 5 });
      expect(await subject.keys(9)).toEqual(['b', 'a', 'c']);
    });

    it('moves it down as well, and leaves the others of its lane in order', async () => {
      await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' }, { key: 'low', priority: 1 });
      await setPriority('b', 1);
      expect(await subject.keys(9)).toEqual(['a', 'c', 'low', 'b']);
    });

    needs('statistics').it('is counted under the new one from then on', async () => {
      await subject.addOne({ key: 'a' });
      await setPriority('a', 6);
      expect((await subject.overview()).priorities).toMatchObject({ 3: { pending: 0 }, 6: { pending: 1 } });
      const leased = await subject.takeOne();
      expect(leased.priority).toBe(6);
      await subject.complete(leased);
      expect((await subject.overview()).priorities).toMatchObject({
        3: { completed: 0 },
        6: { completed: 1 },
      });
    });

    needs('tenants', 'statistics').it('counts as pending anew: the wait begins then', async () => {
      await subject.addOne({ key: 'a', tenant: 't' });
      subject.clock.advance(500);
      await setPriority('a', 6);
      subject.clock.advance(20);
      expect((await subject.overview()).oldestPendingAgeMs).toBe(20);
      expect((await subject.tenant('t')).oldestPendingAgeMs).toBe(20);
      await subject.takeOne();
      expect((await subject.tenant('t')).waits[3]).toBe(1);
    });

    needs('statistics').it('to the one it has changes nothing', async () => {
      await subject.add({ key: 'a' }, { key: 'b' });
      const task = await subject.get(subject.id('a'));
      subject.clock.advance(10);
      expect(await setPriority('a', 3)).toEqual({ status: 'done', task });
      expect((await subject.overview()).oldestPendingAgeMs).toBe(10);
      expect(await subject.keys(9)).toEqual(['a', 'b']);
    });

    it('may be repeated', async () => {
      await subject.add({ key: 'a' }, { key: 'b' });
      const first = await setPriority('a', 5);
      await subject.add({ key: 'c', priority: 5 });
      expect(await setPriority('a', 5)).toEqual(first);
      expect(await subject.keys(9)).toEqual(['a', 'c', 'b']);
    });

    it('to and fro puts a task at the tail', async () => {
      await subject.add({ key: 'a' }, { key: 'b' });
      await setPriority('a', 5);
      await setPriority('a', 3);
      expect(await subject.keys(9)).toEqual(['b', 'a']);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    });

    it('of a scheduled task holds when it is due', async () => {
      await subject.add({ key: 'a', delayMs: 10 }, { key: 'b', priority: 5 });
      expect(await setPriority('a', 6)).toMatchObject({
        task: { state: 'scheduled', dueAt: subject.now + 10 },
      });
      subject.clock.advance(10);
      expect(await subject.keys(9)).toEqual(['a', 'b']);
    });

    it('of a retrying task holds when it is due', async () => {
      await startRetrying('a');
      await setPriority('a', 6);
      await subject.addOne({ key: 'b', priority: 5 });
      subject.clock.advance(1_000);
      expect(await subject.keys(9)).toEqual(['a', 'b']);
    });

    it('holds when the task is given back, lost or tried again', async () => {
      await subject.add({ key: 'a' }, { key: 'b', priority: 4 });
      await setPriority('a', 5);
      await subject.release(only(await subject.take(1)));
      expect(await subject.keys(1)).toEqual(['a']);
      await subject.loseLeases();
      const leased = await subject.takeOne();
      await subject.fail(leased, { retryInMs: 0 });
      expect(await subject.keys(1)).toEqual(['a']);
    });

    it('holds when an operator retries the task', async () => {
      await subject.add({ key: 'a' });
      await setPriority('a', 6);
      await subject.cancel(subject.id('a'));
      await subject.retry(subject.id('a'));
      expect(await subject.takeOne()).toMatchObject({ priority: 6 });
    });

    needs('wake-tokens').it('wakes somebody', async () => {
      await subject.addOne({ key: 'a' });
      await subject.silence();
      const waiting = subject.wait();
      await setPriority('a', 6);
      expect(await waiting).toBe(subject.name);
    });

    needs('priority-policies').it('keeps a task in its place where priorities mean nothing', async () => {
      await subject.configure({ priority: { policy: 'off' } });
      await subject.add({ key: 'a' }, { key: 'b' });
      expect(await setPriority('a', 6)).toMatchObject({ task: { priority: 6 } });
      expect(await subject.keys(9)).toEqual(['a', 'b']);
    });

    needs('ttl').it('still lets the task expire', async () => {
      await subject.addOne({ key: 'a', ttlMs: 100 });
      await setPriority('a', 6);
      subject.clock.advance(100);
      expect(await subject.take(9)).toEqual([]);
      expect(await subject.stateOf(subject.id('a'))).toBe('expired');
    });

    it('can be followed by a cancellation', async () => {
      await subject.add({ key: 'a' }, { key: 'b', priority: 6 });
      await setPriority('a', 6);
      await subject.cancel(subject.id('a'));
      expect(await subject.lease(9)).toMatchObject({ tasks: [{}], more: false });
    });

    it('does not change what a repeated submission is compared with, and answered', async () => {
      const task = await subject.addOne({ key: 'a' });
      await setPriority('a', 6);
      const [same, other] = await subject.queue.enqueue([
        newTask({ queue: subject.name, key: 'a' }),
        newTask({ queue: subject.name, key: 'a', priority: 6 }),
      ]);
      expect(same).toEqual({ status: 'replayed', task });
      expect(refusalOf(other)).toBe('id-conflict');
    });
  });

  describe('of the time', () => {
    it('moves a scheduled task, later or sooner', async () => {
      await subject.addOne({ key: 'a', delayMs: 100 });
      const later = subject.now + 500;
      expect(await setTime('a', later)).toMatchObject({ task: { state: 'scheduled', dueAt: later } });
      subject.clock.advance(100);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false, nextDueInMs: 400 });
      await setTime('a', subject.now + 30);
      subject.clock.advance(30);
      expect(await subject.keys(9)).toEqual(['a']);
    });

    it('moves the retry of a task', async () => {
      await startRetrying('a');
      expect(await setTime('a', subject.now + 50)).toMatchObject({
        task: { state: 'retrying', dueAt: subject.now + 50, failures: 1 },
      });
      subject.clock.advance(50);
      expect(await subject.takeOne()).toMatchObject({ attempt: 2 });
    });

    it.each([0, -500])('that has come (now %d ms) makes it pending at once, at the tail', async (ms) => {
      await subject.add({ key: 'a', delayMs: 100 }, { key: 'b' });
      const outcome = await setTime('a', subject.now + ms);
      expect(outcome).toMatchObject({ status: 'done', task: { state: 'pending' } });
      expect((await subject.get(subject.id('a'))).dueAt).toBeUndefined();
      expect(await subject.keys(9)).toEqual(['b', 'a']);
    });

    it('that has come makes a retrying task pending at once', async () => {
      await startRetrying('a');
      expect(await setTime('a', subject.now)).toMatchObject({ task: { state: 'pending' } });
      expect(await subject.keys(9)).toEqual(['a']);
    });

    it('can come with a priority', async () => {
      await subject.add({ key: 'a', delayMs: 100 }, { key: 'b' });
      const change = { id: subject.id('a'), priority: 6 as const, runAtMs: subject.now };
      expect(await subject.update(change)).toMatchObject({ task: { state: 'pending', priority: 6 } });
      expect(await subject.keys(9)).toEqual(['a', 'b']);
    });

    needs('ttl').it('leaves the time of expiry as it was', async () => {
      const { expiresAt } = await subject.addOne({ key: 'a', delayMs: 100, ttlMs: 100 });
      await setTime('a', subject.now + 50);
      expect((await subject.get(subject.id('a'))).expiresAt).toBe(expiresAt);
    });

    it('wakes somebody where the task is the next of all', async () => {
      await subject.addOne({ key: 'a', delayMs: 100 });
      await subject.silence();
      const waiting = subject.wait();
      await setTime('a', subject.now + 50);
      expect(await waiting).toBe(subject.name);
      expect((await subject.lease(0)).nextDueInMs).toBe(50);
    });

    it('wakes nobody where another is the next', async () => {
      await subject.add({ key: 'a', delayMs: 100 }, { key: 'b', delayMs: 10 });
      await subject.silence();
      await setTime('a', subject.now + 50);
      expect(await subject.wait(undefined, SHORT_MS)).toBeUndefined();
    });

    it('may be repeated', async () => {
      await subject.addOne({ key: 'a', delayMs: 100 });
      const runAtMs = subject.now + 50;
      const first = await setTime('a', runAtMs);
      expect(await setTime('a', runAtMs)).toEqual(first);
      expect((await subject.lease(0)).nextDueInMs).toBe(50);
    });

    it('is refused where the task is pending, also with a priority, and changes nothing', async () => {
      await subject.add({ key: 'a' }, { key: 'b' });
      const before = await subject.everythingOf(subject.id('a'));
      const change = { id: subject.id('a'), priority: 6 as const, runAtMs: subject.now };
      expect(await subject.update(change)).toMatchObject({
        status: 'refused',
        error: { code: 'wrong-state', data: { state: 'pending' } },
      });
      expect(refusalOf(await setTime('a', subject.now + 10))).toBe('wrong-state');
      expect(await subject.everythingOf(subject.id('a'))).toEqual(before);
      expect(await subject.keys(9)).toEqual(['a', 'b']);
    });
  });

  it.each<[string, (leased: LeasedTask) => Promise<unknown>]>([
    ['running', () => Promise.resolve()],
    ['completed', (leased) => subject.complete(leased)],
    ['failed', (leased) => subject.fail(leased, { retryable: false })],
    [
      'cancelled',
      async (leased) => {
        await subject.release(leased);
        await subject.cancel(leased.id);
      },
    ],
  ])('is refused where the task is %s, and changes nothing', async (state, prepare) => {
    const leased = await subject.start({ key: 'a' });
    await prepare(leased);
    const before = await subject.everythingOf(leased.id);
    expect(await setPriority('a', 6)).toMatchObject({
      status: 'refused',
      error: { code: 'wrong-state', data: { state } },
    });
    expect(refusalOf(await setTime('a', subject.now))).toBe('wrong-state');
    expect(await subject.everythingOf(leased.id)).toEqual(before);
  });

  it('of nothing is done', async () => {
    const task = await subject.addOne({ key: 'a' });
    expect(await subject.update({ id: task.id })).toEqual({ status: 'done', task });
  });

  it('answers each change in order, also of one task twice and of one that is not there', async () => {
    const other = `${subject.name}.other`;
    const [a, b] = await subject.add({ key: 'a' }, { key: 'b', queue: other });
    const outcomes = await subject.queue.update([
      { id: b?.id ?? '', priority: 2 },
      { id: subject.id('nobody'), priority: 2 },
      { id: a?.id ?? '', priority: 4 },
      { id: a?.id ?? '', priority: 5 },
    ]);
    expect(
      outcomes.map((outcome) => refusalOf(outcome) ?? (outcome.status === 'done' && outcome.task.priority)),
    ).toEqual([2, 'task-not-found', 4, 5]);
    expect(await subject.queue.update([])).toEqual([]);
    expect(keysOf(await subject.take(9))).toEqual(['a']);
  });

  it.each([
    ['a priority of 0', { priority: 0 as never }, '/priority'],
    ['a priority of 7', { priority: 7 as never }, '/priority'],
    ['a time before all time', { runAtMs: -1 }, '/runAt'],
    ['a time that is none', { runAtMs: NaN }, '/runAt'],
  ])('refuses %s before anything happens', async (_, change, pointer) => {
    await subject.add({ key: 'a' }, { key: 'b' });
    await expect(
      subject.queue.update([
        { id: subject.id('a'), priority: 6 },
        { id: subject.id('b'), ...change },
      ]),
    ).rejects.toMatchObject({ code: 'invalid-request', data: { pointer } });
    expect((await subject.get(subject.id('a'))).priority).toBe(3);
  });
}
