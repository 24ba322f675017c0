import { randomBytes } from 'node:crypto';
import { createBullmqQueue, moveQueue, type MoveOptions, QueueError } from '@app/queue';
import { FlowProducer, Queue as StockQueue, Worker as StockWorker } from 'bullmq';
import { openTestQueue, removeKeys, sharedRedisPort, type TestQueue } from '../support/redis.js';

const connection = { port: sharedRedisPort(), maxRetriesPerRequest: null };
let ours: TestQueue;
let stock: StockQueue;
let prefix: string;
const workers: StockWorker[] = [];

beforeEach(async () => {
  prefix = `test-${randomBytes(6).toString('hex')}`;
  ours = await openTestQueue();
  stock = new StockQueue('q', { connection, prefix });
  await stock.waitUntilReady();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  await stock.close();
  await removeKeys(ours.redis, prefix);
  await ours.cleanup();
});

const move = (more: Partial<MoveOptions> = {}) =>
  moveQueue({ from: { address: { port: connection.port }, prefix }, queue: 'q', to: ours.queue, ...more });
const taskOf = async (jobId: string) => (await ours.queue.get([`q~${jobId}`]))[0];
/** Takes a job as a worker of the stock package. */
const take = async () => {
  const worker = new StockWorker('q', null, { connection, prefix });
  worker.on('error', () => undefined);
  workers.push(worker);
  return (await worker.getNextJob('t'))!;
};

test('keeps ids, order, priorities, payloads and due times', async () => {
  const delayed = await stock.add('late', {}, { delay: 60_000 });
  await stock.add('a', { n: 1 });
  await stock.add('b', { n: 2 }, { jobId: 'second', priority: 1 });
  await stock.add('c', { n: 3 }, { priority: 4, attempts: 7, backoff: { type: 'exponential', delay: 50 } });
  await stock.add('d', { n: 4 });
  const progress: number[] = [];
  const result = await move({ onProgress: ({ moved }) => progress.push(moved) });
  expect(result).toEqual({ moved: 5, waiting: 0, running: 0, left: [] });
  expect(progress.at(-1)).toBe(5);
  expect(await taskOf(delayed.id!)).toMatchObject({ state: 'scheduled', dueAt: delayed.timestamp + 60_000 });
  const { tasks } = await ours.queue.lease({ queue: 'q', workerId: 'w', max: 9, leaseMs: 5_000 });
  expect(tasks.map(({ type, payload }) => `${type} ${payload}`)).toEqual([
    'a {"n":1}',
    'd {"n":4}',
    'b {"n":2}',
    'c {"n":3}',
  ]);
  expect(tasks[2]!.id).toBe('q~second');
  expect(tasks[3]!.retry).toMatchObject({ maxAttempts: 7, backoff: 'exponential', delayMs: 50 });
  expect(await stock.isPaused()).toBe(true);
});

test('keeps the attempts that are left, and the time of the next one', async () => {
  await stock.add('a', {}, { attempts: 3, backoff: { type: 'fixed', delay: 60_000 } });
  await stock.add('other', {}, { delay: 10_000 });
  const job = await take();
  const before = Date.now();
  await job.moveToFailed(new Error('no'), 't', false);
  await move();
  const task = (await taskOf(job.id!))!;
  expect(task).toMatchObject({ state: 'scheduled', retry: { maxAttempts: 2, backoff: 'fixed' } });
  expect(task.dueAt).toBeGreaterThanOrEqual(before + 60_000);
  expect(task.dueAt).toBeLessThanOrEqual(Date.now() + 60_000);
});

test('leaves what cannot be moved, says why, and moves the rest', async () => {
  await stock.add('not a type', {}, { jobId: 'name' });
  await ours.queue.enqueue([{ type: 'a', queue: 'q', key: 'taken' }]);
  await stock.add('a', {}, { jobId: 'taken' });
  await stock.add('a', {}, { jobId: 'x'.repeat(200) });
  await stock.upsertJobScheduler('daily', { every: 86_400_000 }, { name: 'a' });
  const flow = new FlowProducer({ connection, prefix });
  await flow.add({
    name: 'a',
    queueName: 'q',
    children: [{ name: 'a', queueName: 'q', opts: { jobId: 'child' } }],
  });
  await flow.close();
  await stock.add('a', {}, { jobId: 'running' });
  await stock.add('a', {}, { jobId: 'good' });
  const { left, moved, waiting } = await move();
  expect(left.map(({ jobId, reason }) => `${jobId.slice(0, 6)}: ${reason}`).sort()).toEqual([
    'child: It is part of a flow.',
    expect.stringContaining('name: type must be'),
    expect.stringMatching(/^repeat: It is the next job of a schedule/),
    expect.stringMatching(/^taken: Another task has (this|its) id/),
    'xxxxxx: Its id is too long.',
  ]);
  expect(moved).toBe(2);
  expect(waiting).toBe(5);
  expect(await taskOf('good')).toMatchObject({ state: 'pending' });
  expect(await stock.getJob('child')).toBeDefined();
  expect(await taskOf('taken')).toMatchObject({ type: 'a', payload: undefined });
});

test('counts what runs, and moves it once it has failed', async () => {
  await stock.add('a', {}, { attempts: 2, backoff: 1 });
  const job = await take();
  expect(await move()).toMatchObject({ moved: 0, running: 1 });
  await job.moveToFailed(new Error('no'), 't', false);
  expect(await move()).toMatchObject({ moved: 1, running: 0 });
});

test('stops where somebody resumes the queue, and takes back what has not been removed', async () => {
  await stock.addBulk(
    Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: {}, opts: { jobId: `k${n}` } })),
  );
  const to = { ...ours.queue };
  to.enqueue = async (tasks) => {
    const outcomes = await ours.queue.enqueue(tasks);
    await stock.resume();
    return outcomes;
  };
  await expect(move({ to })).rejects.toMatchObject({ code: 'wrong-state' });
  expect((await ours.queue.get(['q~k0', 'q~k4'])).filter(Boolean)).toEqual([]);
  expect(await stock.getWaitingCount()).toBe(5);
  expect(await move()).toMatchObject({ moved: 5 });
});

test('stops where our queue takes no more, and goes on later', async () => {
  await ours.queue.configure('q', { backlog: 3 });
  await stock.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: 'a', data: { n } })));
  await expect(move()).rejects.toBeInstanceOf(QueueError);
  await ours.queue.configure('q', {});
  expect(await move()).toMatchObject({ moved: 5, left: [] });
  const { tasks } = await ours.queue.lease({ queue: 'q', workerId: 'w', max: 9, leaseMs: 5_000 });
  expect(tasks.map(({ payload }) => payload)).toEqual([0, 1, 2, 3, 4].map((n) => `{"n":${n}}`));
});

test('is refused while another move of the queue is under way, which goes on', async () => {
  await stock.addBulk(Array.from({ length: 150 }, (_, n) => ({ name: 'a', data: { n } })));
  let second: unknown;
  const to = { ...ours.queue };
  to.enqueue = async (tasks) => {
    second ??= await move().catch((error: unknown) => error);
    return ours.queue.enqueue(tasks);
  };
  expect(await move({ to })).toMatchObject({ moved: 150, left: [] });
  expect(second).toMatchObject({
    code: 'wrong-state',
    message: expect.stringContaining('being moved already'),
  });
  expect(await move()).toMatchObject({ moved: 0, left: [] });
});

test('asked for by many at once loses and doubles nothing', async () => {
  await stock.addBulk(Array.from({ length: 500 }, (_, n) => ({ name: 'a', data: { n } })));
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => move()));
  const refused = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as object] : [],
  );
  expect(refused).toMatchObject(refused.map(() => ({ code: 'wrong-state' })));
  await move();
  const [overview] = await ours.queue.overview(['q']);
  expect(overview).toMatchObject({ states: { pending: 500, scheduled: 0, cancelled: 0 } });
  expect(await stock.getWaitingCount()).toBe(0);
});

test('keeps idempotency keys: who repeats a submission after the move has the same task', async () => {
  const before = createBullmqQueue({ address: { port: connection.port }, prefix });
  await before.open();
  const submission = { type: 'a', queue: 'q', idempotency: { key: 'i', fingerprint: 'f' } };
  const [stored] = await before.enqueue([submission]);
  await before.close();
  expect(await move()).toMatchObject({ moved: 1, left: [] });
  const { task } = stored as { task: { id: string } };
  expect(await ours.queue.enqueue([submission])).toMatchObject([
    { status: 'replayed', task: { id: task.id } },
  ]);
});
