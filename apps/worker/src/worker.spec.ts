import { hostname } from 'node:os';
import { jest } from '@jest/globals';
import { HandlerTable, QueueError, type HandlerDefinition, type Task } from '@app/queue';
import { MemoryQueue } from '@app/queue/testing';
import { createLogger, createMetrics } from '@app/runtime';
import { Worker, type WorkerParts } from './worker.js';

const workers: Worker[] = [];

afterEach(async () => {
  for (const worker of workers.splice(0)) {
    await worker.runner.releaseNow();
    await worker.drain();
    await worker.stopChores();
  }
});

function setup(handlers: HandlerDefinition[], settings: Partial<WorkerParts['settings']> = {}) {
  const queue = new MemoryQueue();
  const metrics = createMetrics({ processMetrics: false });
  const log = createLogger({ name: 'test', level: 'silent' });
  const said = jest.spyOn(log, 'info');
  const onTerminate = jest.fn();
  const worker = new Worker({
    queue,
    handlers: new HandlerTable(handlers),
    settings: {
      queues: undefined,
      tenants: [],
      steal: true,
      concurrency: 2,
      leaseMs: 30_000,
      timeoutMs: 60_000,
      drainTimeoutMs: 1_000,
      labels: {},
      version: undefined,
      ...settings,
    },
    log,
    metrics,
    onTerminate,
  });
  workers.push(worker);
  const submit = async (type: string, name?: string, tenant?: string): Promise<Task> => {
    const [outcome] = await queue.enqueue([
      { type, ...(name && { queue: name }), ...(tenant && { tenant }) },
    ]);
    if (outcome!.status === 'refused') throw outcome!.error;
    return outcome!.task;
  };
  const end = (task: Task) => queue.waitForEnd(task.id, 4_000);
  return { queue, worker, metrics, submit, end, said, onTerminate };
}

const a: HandlerDefinition = { type: 'a', queue: 'apples', run: () => 'done' };

test('by default a worker serves default and the queues of its handlers, and nothing else', async () => {
  const { worker, submit, end, queue } = setup([a]);
  const other = await submit('a', 'other');
  worker.start();
  expect(await end(await submit('a', 'apples'))).toMatchObject({ state: 'completed', result: '"done"' });
  expect(await end(await submit('a', 'default'))).toMatchObject({ state: 'completed' });
  expect((await queue.get([other.id]))[0]!.state).toBe('pending');
});

test('a list of queues is served as it is', async () => {
  const { worker, submit, end, queue } = setup([a], { queues: ['other'] });
  const own = await submit('a', 'apples');
  worker.start();
  expect(await end(await submit('a', 'other'))).toMatchObject({ state: 'completed' });
  expect((await queue.get([own.id]))[0]!.state).toBe('pending');
});

test('with * queues created later are served, too', async () => {
  const { worker, submit, end } = setup([a], { queues: ['*'] });
  worker.start();
  expect(await end(await submit('a', 'apples'))).toMatchObject({ state: 'completed' });
  expect(await end(await submit('a', 'later'))).toMatchObject({ state: 'completed' });
});

test('a task submitted without a queue goes to the queue its handler names', async () => {
  const { worker, submit, end } = setup([a]);
  worker.start();
  expect(await end(await submit('a'))).toMatchObject({ queue: 'apples', state: 'completed' });
  expect(await submit('unknown')).toMatchObject({ queue: 'default' });
});

test('a worker bound to tenants serves those alone', async () => {
  const { worker, submit, end, queue } = setup([a], { tenants: ['acme'], steal: false });
  const other = await submit('a', 'apples', 'globex');
  worker.start();
  expect(await end(await submit('a', 'apples', 'acme'))).toMatchObject({ state: 'completed' });
  expect((await queue.get([other.id]))[0]!.state).toBe('pending');
});

test.each([
  [[], true, 'everybody'],
  [['acme', 'globex'], true, 'acme, globex; then everybody'],
  [['acme'], ['globex', 'initech'], 'acme; then globex, initech'],
  [['acme'], false, 'acme'],
  [[], ['globex'], 'globex'],
])('with the tenants %j and the others %j the log says: %s', (tenants, steal, text) => {
  const { worker, said } = setup([a], { tenants, steal });
  worker.start();
  expect(said).toHaveBeenCalledWith(expect.objectContaining({ tenants: text }), 'working');
});

test('a worker is ready once it works and while its store answers', async () => {
  const { worker, queue } = setup([a]);
  const [store, runner] = worker.readiness();
  expect(await runner!.check()).toMatchObject({ ok: false });
  worker.start();
  expect(await runner!.check()).toEqual({ ok: true, detail: '0 of 2 slots busy' });
  expect(await store!.check()).toEqual({ ok: true });
  queue.probe = () => Promise.reject(new QueueError('store-full'));
  expect(await store!.check()).toEqual({ ok: false, detail: 'store-full' });
  void worker.drain();
  expect(await runner!.check()).toMatchObject({ ok: false, detail: 'draining, 0 left' });
});

test('attempts and slots are counted', async () => {
  const { worker, submit, metrics } = setup([a]);
  worker.start();
  await submit('a');
  await submit('a');
  while (!(await metrics.render()).includes('worker_attempts_total{queue="apples",outcome="completed"} 2')) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await metrics.render()).toContain('fairlane_worker_slots{state="free"} 2');
});

/** Until it is so; the test's own time limit ends what never is. */
async function becomes(check: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('a worker is registered with what it is, while it is there', async () => {
  const { worker, queue } = setup([a], { labels: { gpu: 'a100' }, version: '1.2.3' });
  worker.start();
  await becomes(async () => (await queue.worker(worker.workerId)) !== undefined);
  expect(await queue.worker(worker.workerId)).toMatchObject({
    host: hostname(),
    pid: process.pid,
    queues: ['default', 'apples'],
    types: ['a'],
    labels: { gpu: 'a100' },
    version: '1.2.3',
  });
  await worker.drain();
  expect(await queue.worker(worker.workerId)).toBeDefined();
  await worker.stopChores();
  expect(await queue.worker(worker.workerId)).toBeUndefined();
});

test('a worker that is told to be quiet finishes what it has, takes nothing new, and goes on when resumed', async () => {
  let finish = () => {};
  const slow: HandlerDefinition = {
    type: 'slow',
    queue: 'apples',
    run: () => new Promise<void>((resolve) => (finish = resolve)),
  };
  const { worker, queue, submit, end } = setup([a, slow], { leaseMs: 1_000 });
  worker.start();
  const running = await submit('slow');
  await becomes(async () => (await queue.leased('apples', worker.workerId, 1)).length === 1);
  await becomes(async () => (await queue.tell(worker.workerId, 'quiet')) !== undefined);
  await becomes(() => worker.runner.quiet);
  const waiting = await submit('a');
  finish();
  expect(await end(running)).toMatchObject({ state: 'completed' });
  // The token is for somebody who can use it.
  expect(await queue.waitForWork(['apples'], 4_000)).toBe('apples');
  expect((await queue.get([waiting.id]))[0]).toMatchObject({ state: 'pending', attempt: 0 });
  await queue.tell(worker.workerId);
  expect(await end(waiting)).toMatchObject({ state: 'completed' });
  expect((await queue.activity('apples', [worker.workerId]))[0]).toMatchObject({
    running: 0,
    totals: { completed: 2 },
  });
});

test('a worker that is told to end is quiet and has itself stopped, once', async () => {
  const { worker, queue, onTerminate } = setup([a], { leaseMs: 1_000 });
  worker.start();
  await becomes(async () => (await queue.tell(worker.workerId, 'terminate')) !== undefined);
  await becomes(() => onTerminate.mock.calls.length > 0);
  expect(worker.runner.quiet).toBe(true);
  const { seenAt } = (await queue.worker(worker.workerId))!;
  await becomes(async () => (await queue.worker(worker.workerId))!.seenAt > seenAt);
  expect(onTerminate).toHaveBeenCalledTimes(1);
});

test('a worker that cannot register works all the same', async () => {
  const { worker, queue, submit, end } = setup([a]);
  queue.register = () => Promise.reject(new QueueError('too-many-workers'));
  worker.start();
  expect(await end(await submit('a'))).toMatchObject({ state: 'completed' });
});
