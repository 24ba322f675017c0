import { LIMITS } from '../../core/limits.js';
import { needs } from './needs.js';
import { keysOf, useSubject, type Setup } from './subject.js';

export function describeChores(setup: Setup): void {
  const subject = useSubject(setup);
  const promote = () => subject.queue.promote(subject.name);

  it('promote makes due tasks pending, and says when the next is due', async () => {
    const [soon, later] = await subject.add({ delayMs: 100 }, { delayMs: 250 });
    expect(await promote()).toEqual({ count: 0, more: false, nextInMs: 100 });
    subject.clock.advance(100);
    expect(await promote()).toEqual({ count: 1, more: false, nextInMs: 150 });
    expect(await subject.stateOf(soon?.id ?? '')).toBe('pending');
    expect(await subject.stateOf(later?.id ?? '')).toBe('scheduled');
  });

  it('promote has nothing to do for an empty queue, or twice', async () => {
    expect(await promote()).toEqual({ count: 0, more: false });
    await subject.addOne({ delayMs: 1 });
    subject.clock.advance(1);
    expect(await promote()).toEqual({ count: 1, more: false });
    expect(await promote()).toEqual({ count: 0, more: false });
    expect(await subject.take(9)).toHaveLength(1);
  });

  it('promote makes retrying tasks pending when they are due', async () => {
    const leased = await subject.start();
    await subject.fail(leased, { retryInMs: 50 });
    subject.clock.advance(50);
    expect((await promote()).count).toBe(1);
    expect(await subject.get(leased.id)).toMatchObject({ state: 'pending', attempt: 1, failures: 1 });
  });

  it('promote keeps to the order of due times', async () => {
    await subject.add({ key: 'c', delayMs: 1 }, { key: 'a', delayMs: 2 }, { key: 'b', delayMs: 2 });
    subject.clock.advance(2);
    await promote();
    expect(keysOf(await subject.take(3))).toEqual(['c', 'a', 'b']);
  });

  it('promote takes a bounded number at a time', async () => {
    const many = LIMITS.choreTasksMax + 30;
    await subject.add(...Array.from({ length: many }, () => ({ delayMs: 1 })));
    subject.clock.advance(2);
    expect(await promote()).toMatchObject({ count: LIMITS.choreTasksMax, more: true, nextInMs: -1 });
    expect(await promote()).toEqual({ count: 30, more: false });
  });

  needs('ttl').it('promote expires waiting tasks whose time to start has passed', async () => {
    const { id } = await subject.addOne({ ttlMs: 100 });
    expect(await promote()).toEqual({ count: 0, more: false, nextInMs: 100 });
    subject.clock.advance(99);
    expect(await promote()).toEqual({ count: 0, more: false, nextInMs: 1 });
    subject.clock.advance(1);
    expect(await promote()).toEqual({ count: 1, more: false });
    expect(await subject.get(id)).toMatchObject({ state: 'expired', attempt: 0, finishedAt: subject.now });
    expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
  });

  needs('ttl').it('promote expires tasks that became due and too late at once', async () => {
    const { id } = await subject.addOne({ delayMs: 10, ttlMs: 10 });
    subject.clock.advance(20);
    await promote();
    expect(await subject.stateOf(id)).toBe('expired');
    expect(await subject.take(5)).toEqual([]);
  });

  needs('ttl').it('promote expires from anywhere in a lane, and leaves the others in order', async () => {
    await subject.add({ key: 'a' }, { key: 'b', ttlMs: 5 }, { key: 'c' }, { key: 'd', ttlMs: 5 });
    subject.clock.advance(5);
    expect((await promote()).count).toBe(2);
    expect(keysOf(await subject.take(9))).toEqual(['a', 'c']);
  });

  needs('ttl').it('promote expires a bounded number at a time', async () => {
    const many = LIMITS.choreTasksMax + 1;
    await subject.add(...Array.from({ length: many }, () => ({ ttlMs: 1 })));
    subject.clock.advance(1);
    expect(await promote()).toMatchObject({ count: LIMITS.choreTasksMax, more: true });
    expect(await promote()).toEqual({ count: 1, more: false });
  });

  needs('ttl').it('promote forgets the time to live of tasks that started or ended', async () => {
    await subject.add({ key: 'running', ttlMs: 10 }, { key: 'cancelled', ttlMs: 10 });
    await subject.takeOne();
    await subject.cancel(`${subject.name}~cancelled`);
    expect((await promote()).nextInMs).toBeUndefined();
    subject.clock.advance(10);
    expect(await promote()).toEqual({ count: 0, more: false });
    expect(await subject.stateOf(`${subject.name}~running`)).toBe('running');
    expect(await subject.stateOf(`${subject.name}~cancelled`)).toBe('cancelled');
  });

  it('promote leaves a cancelled task cancelled when it would have been due', async () => {
    const { id } = await subject.addOne({ delayMs: 10 });
    await subject.cancel(id);
    subject.clock.advance(10);
    expect(await promote()).toEqual({ count: 0, more: false });
    expect(await subject.stateOf(id)).toBe('cancelled');
  });

  it('elects one holder at a time, and the same one again', async () => {
    const another = await subject.another();
    expect(await subject.queue.electForChores('one', 60_000)).toBe(true);
    expect(await another.electForChores('two', 60_000)).toBe(false);
    expect(await subject.queue.electForChores('one', 60_000)).toBe(true);
  });

  it('elects another holder once the first stays away', async () => {
    if (!subject.forgetsByClock) return;
    await subject.queue.electForChores('one', 1_000);
    subject.clock.advance(999);
    expect(await subject.queue.electForChores('two', 1_000)).toBe(false);
    subject.clock.advance(1);
    expect(await subject.queue.electForChores('two', 1_000)).toBe(true);
    expect(await subject.queue.electForChores('one', 1_000)).toBe(false);
  });
}
