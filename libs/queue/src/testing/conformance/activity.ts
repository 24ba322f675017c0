import { LIMITS } from '../../core/limits.js';
import type { LeaseOutcome, WorkerActivity } from '../../core/ports/inspector.js';
import { needs } from './needs.js';
import { LEASE_MS, useSubject, WORKER, type Setup } from './subject.js';

export function describeActivity(setup: Setup): void {
  const subject = useSubject(setup);

  async function activityOf(worker = WORKER): Promise<WorkerActivity> {
    const [activity] = await subject.queue.activity(subject.name, [worker]);
    return activity!;
  }

  async function totalsOf(worker = WORKER): Promise<Partial<Record<LeaseOutcome, number>>> {
    const { totals } = await activityOf(worker);
    return Object.fromEntries(Object.entries(totals).filter(([, count]) => count > 0));
  }

  const leasedIds = async (worker = WORKER, limit = 10) =>
    (await subject.queue.leased(subject.name, worker, limit)).map(({ id }) => id).sort();

  it('of a worker that was never seen is nothing', async () => {
    expect(await activityOf('nobody')).toEqual({
      running: 0,
      totals: { completed: 0, failed: 0, retried: 0, released: 0, cancelled: 0, crashed: 0 },
    });
    expect(await leasedIds('nobody')).toEqual([]);
  });

  needs('tenants').it('has the tasks that each worker has leased', async () => {
    const [a, b, c] = await subject.addOf('t', 3);
    const first = await subject.take(2, { workerId: 'one' });
    const second = await subject.take(1, { workerId: 'two' });
    expect([...first, ...second].map(({ id }) => id).sort()).toEqual([a!.id, b!.id, c!.id]);
    expect(await leasedIds('one')).toEqual(first.map(({ id }) => id).sort());
    expect(await leasedIds('two')).toEqual(second.map(({ id }) => id));
    const activities = await subject.queue.activity(subject.name, ['two', 'nobody', 'one']);
    expect(activities.map(({ running }) => running)).toEqual([1, 0, 2]);
  });

  needs('tenants').it('shows those tasks as lists do, and no more than asked for', async () => {
    await subject.addOf('t', 3, { payload: '"p"' });
    await subject.take(3);
    const [task, ...others] = await subject.queue.leased(subject.name, WORKER, 1);
    expect(others).toEqual([]);
    expect(task).toMatchObject({ state: 'running', workerId: WORKER, tenant: 't' });
    expect(task!.payload).toBeUndefined();
  });

  it('counts how leases ended, and has them no more', async () => {
    const tasks = await Promise.all(['c', 'f', 'r', 'l'].map((key) => subject.start({ key })));
    await subject.complete(tasks[0]!);
    await subject.fail(tasks[1]!, { retryable: false });
    await subject.fail(tasks[2]!, { retryInMs: LEASE_MS });
    await subject.settle({ id: tasks[3]!.id, leaseToken: tasks[3]!.leaseToken, action: 'release' });
    expect(await totalsOf()).toEqual({ completed: 1, failed: 1, retried: 1, released: 1 });
    expect(await leasedIds()).toEqual([]);
    expect((await activityOf()).running).toBe(0);
  });

  it('counts an attempt that is tried again at once', async () => {
    await subject.fail(await subject.start(), { retryInMs: 0 });
    expect(await totalsOf()).toEqual({ retried: 1 });
  });

  needs('cancel-running').it('counts what was given back after it had been cancelled', async () => {
    const [released, failed] = [await subject.start(), await subject.start()];
    await subject.queue.cancel([released.id, failed.id]);
    expect((await activityOf()).running).toBe(2);
    await subject.settle({ id: released.id, leaseToken: released.leaseToken, action: 'release' });
    await subject.fail(failed);
    expect(await totalsOf()).toEqual({ cancelled: 2 });
  });

  it('has a lapsed lease until it is reaped, and counts it then as the worker’s', async () => {
    const { id } = await subject.start();
    subject.clock.advance(LEASE_MS);
    expect(await leasedIds()).toEqual([id]);
    await subject.queue.reap(subject.name);
    expect(await leasedIds()).toEqual([]);
    expect(await totalsOf()).toEqual({ crashed: 1 });
  });

  it('is that of the worker which had the lease, whoever settles it', async () => {
    const leased = await subject.start({}, { workerId: 'one' });
    await subject.queue.settle([{ id: leased.id, leaseToken: leased.leaseToken, action: 'complete' }], {
      queue: subject.name,
      workerId: 'two',
      max: 1,
      leaseMs: LEASE_MS,
    });
    expect(await totalsOf('one')).toEqual({ completed: 1 });
    expect(await totalsOf('two')).toEqual({});
  });

  it('has a task that its worker gave back and took again in one call', async () => {
    const { id, leaseToken } = await subject.start();
    const next = { queue: subject.name, workerId: WORKER, max: 1, leaseMs: LEASE_MS };
    await subject.queue.settle([{ id, leaseToken, action: 'release' }], next);
    expect(await leasedIds()).toEqual([id]);
    expect(await totalsOf()).toEqual({ released: 1 });
  });

  needs('repeatable-leases').it('counts nothing twice when a request is repeated', async () => {
    await subject.addOne();
    const request = { requestId: 'again' };
    const leased = await subject.takeOne(request);
    await subject.takeOne(request);
    expect((await activityOf()).running).toBe(1);
    await subject.complete(leased);
    await subject.complete(leased);
    expect(await totalsOf()).toEqual({ completed: 1 });
  });

  it('counts nothing for a settlement that is refused', async () => {
    const leased = await subject.start();
    await subject.complete({ ...leased, leaseToken: 'wrong' });
    expect(await totalsOf()).toEqual({});
  });

  it('is forgotten with the queue', async () => {
    await subject.complete(await subject.start());
    while ((await subject.queue.deleteQueue(subject.name)).more);
    expect(await totalsOf()).toEqual({});
  });

  it('is refused for names that are none, and for too many', async () => {
    const ask = (ids: string[]) => subject.queue.activity(subject.name, ids);
    await expect(ask(['a b'])).rejects.toMatchObject({ code: 'invalid-task' });
    const many = Array.from({ length: LIMITS.listLimitMax + 1 }, (_, i) => `w${i}`);
    await expect(ask(many)).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(subject.queue.leased(subject.name, WORKER, 0)).rejects.toMatchObject({
      code: 'invalid-request',
    });
  });
}
