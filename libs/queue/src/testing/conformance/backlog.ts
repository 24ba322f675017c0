import type { LeasedTask } from '../../core/ports/consumer.js';
import type { EnqueueOutcome, NewTask } from '../../core/ports/producer.js';
import { newTask } from '../builders.js';
import { needs } from './needs.js';
import { only, useSubject, type Setup } from './subject.js';

export function describeBacklog(setup: Setup): void {
  const subject = useSubject(setup);
  const submit = (tasks: Partial<NewTask>[], atomic = false) =>
    subject.queue.enqueue(
      tasks.map((task) => newTask({ queue: subject.name, ...task })),
      { atomic },
    );
  const statuses = (outcomes: EnqueueOutcome[]) =>
    outcomes.map((outcome) => (outcome.status === 'refused' ? outcome.error.code : outcome.status));
  const refused = async (task: Partial<NewTask> = {}) => {
    const outcome = only(await submit([task]));
    if (outcome.status !== 'refused') throw new Error(`expected a refusal, got ${outcome.status}`);
    return outcome.error;
  };

  needs('statistics').it('refuses what would be one too many, and stores nothing of it', async () => {
    await subject.configure({ backlog: 2 });
    await subject.add({}, {});
    expect(await refused({ key: 'late' })).toMatchObject({ code: 'backlog-full', kind: 'limited' });
    expect(await subject.find(subject.id('late'))).toBeUndefined();
    expect(await subject.overview()).toMatchObject({ backlog: 2, minutes: [{ enqueued: 2 }] });
  });

  it('counts what the same call stores before', async () => {
    await subject.configure({ backlog: 2 });
    expect(statuses(await submit([{}, { delayMs: 5 }, {}]))).toEqual([
      'accepted',
      'accepted',
      'backlog-full',
    ]);
  });

  it('counts what is scheduled, pending or retrying, and not what runs or has ended', async () => {
    await subject.configure({ backlog: 3 });
    await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
    const [a, b] = await subject.take(3);
    await subject.complete(a as LeasedTask);
    await subject.fail(b as LeasedTask, { retryInMs: 1_000 });
    expect(statuses(await submit([{ delayMs: 5 }, {}, {}]))).toEqual([
      'accepted',
      'accepted',
      'backlog-full',
    ]);
    expect((await subject.overview()).backlog).toBe(3);
  });

  it('has room again once a task has started, or was cancelled', async () => {
    await subject.configure({ backlog: 1 });
    await subject.addOne();
    await subject.takeOne();
    const { id } = await subject.addOne();
    await refused();
    await subject.cancel(id);
    await subject.addOne();
  });

  needs('tenants').it('of a tenant refuses its tasks, and not those of others', async () => {
    await subject.configure({ tenants: { backlog: 1 } });
    await subject.configureTenant('b', { backlog: 2 });
    const tasks = ['a', 'b', 'a', 'b', 'b', 'c'].map((tenant) => ({ tenant }));
    expect(statuses(await submit(tasks))).toEqual([
      'accepted',
      'accepted',
      'backlog-full',
      'accepted',
      'backlog-full',
      'accepted',
    ]);
    expect(await refused({ tenant: 'a' })).toMatchObject({ code: 'backlog-full' });
  });

  needs('tenants').it("of a tenant holds together with the queue's", async () => {
    await subject.configure({ backlog: 2, tenants: { backlog: 1 } });
    const tasks = ['a', 'a', 'b', 'c'].map((tenant) => ({ tenant }));
    expect(statuses(await submit(tasks))).toEqual(['accepted', 'backlog-full', 'accepted', 'backlog-full']);
  });

  it.each([
    [10_000, 0],
    [60_000, 1],
    [20_000, 3],
    [8_572, 7],
    [1_000, 60],
    [1_000, 100],
  ])('says to come back in %d ms where %d tasks started in the last minute', async (retryAfterMs, starts) => {
    await subject.add(...Array.from({ length: starts + 1 }, () => ({})));
    await subject.take(starts);
    await subject.configure({ backlog: 1 });
    subject.clock.advance(60_000);
    expect((await refused()).data).toMatchObject({ retryAfterMs });
    subject.clock.advance(60_000);
    expect((await refused()).data).toMatchObject({ retryAfterMs: 10_000 });
  });

  needs('atomic-batches').it('stores nothing of an atomic batch where one task is too many', async () => {
    await subject.configure({ backlog: 2 });
    await subject.addOne({ key: 'old' });
    const outcomes = await submit([{ key: 'old' }, { key: 'a' }, { key: 'b' }], true);
    expect(statuses(outcomes)).toEqual(['replayed', 'backlog-full', 'backlog-full']);
    expect((await subject.overview()).backlog).toBe(1);
  });

  needs('idempotency-keys').it('does not keep repeats from being recognised', async () => {
    await subject.configure({ backlog: 2 });
    const idempotency = { key: 'i', fingerprint: 'f' };
    await subject.add({ key: 'k' }, { idempotency });
    expect(
      statuses(
        await submit([
          { key: 'k' },
          { key: 'k', payload: '2' },
          { idempotency },
          { idempotency: { ...idempotency, fingerprint: 'g' } },
        ]),
      ),
    ).toEqual(['replayed', 'id-conflict', 'replayed', 'idempotency-mismatch']);
  });

  needs('idempotency-keys').it('uses up neither key nor idempotency key of what it refuses', async () => {
    await subject.configure({ backlog: 1 });
    const blocker = await subject.addOne();
    const task = { key: 'k', idempotency: { key: 'i', fingerprint: 'f' } };
    await refused(task);
    await subject.cancel(blocker.id);
    expect(statuses(await submit([{ ...task, payload: '2' }]))).toEqual(['accepted']);
  });

  it('is no bound for tasks that wait again', async () => {
    await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' });
    const [a, b] = await subject.take(2);
    await subject.configure({ backlog: 1 });
    await subject.fail(a as LeasedTask);
    await subject.cancel(subject.id('c'));
    expect(await subject.retry(subject.id('c'))).toMatchObject({ status: 'done' });
    await subject.release(b as LeasedTask);
    expect((await subject.overview()).backlog).toBe(3);
    await refused();
  });

  it('can be raised and taken away', async () => {
    await subject.configure({ backlog: 1 });
    await subject.addOne();
    await subject.configure({ backlog: 2 });
    expect(statuses(await submit([{}, {}]))).toEqual(['accepted', 'backlog-full']);
    await subject.configure({});
    await subject.add({}, {});
  });
}
