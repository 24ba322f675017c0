import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBullmqQueue, HandlerTable, Runner } from '@app/queue';
import {
  FlowProducer,
  type Job,
  type Processor,
  Queue as StockQueue,
  QueueEvents,
  UnrecoverableError,
  Worker as StockWorker,
  type WorkerOptions,
} from 'bullmq';
import { Redis } from 'ioredis';
import { root } from '../../tools/lib/root.mjs';
import { follow } from '../support/events.js';
import { commandCalls, removeKeys, sharedRedisPort } from '../support/redis.js';
import { closeApis, startApi } from './support.js';

/** What a test opens, closed after it in the order in which it was opened. */
const opened: { close(): Promise<unknown> }[] = [];
const connection = { port: sharedRedisPort(), maxRetriesPerRequest: null };
let prefix: string;

beforeEach(() => (prefix = `test-${randomBytes(6).toString('hex')}`));
afterEach(async () => {
  await closeApis();
  for (const each of opened.splice(0)) await each.close();
  const redis = new Redis(connection);
  await removeKeys(redis, prefix);
  await redis.quit();
});

/** An API on BullMQ, and a queue `q` of the stock package beside it. */
async function start() {
  const queue = createBullmqQueue({ address: { port: sharedRedisPort() }, prefix });
  await queue.open();
  opened.push(queue);
  const { http, url } = await startApi(queue);
  const stock = new StockQueue('q', { connection, prefix });
  opened.push(stock);
  await stock.waitUntilReady();
  const submit = async (task: object = {}) => {
    const { body } = await http
      .post('/v1/tasks')
      .send({ type: 'mail.send', queue: 'q', ...task })
      .expect(202);
    return body as { id: string; state: string };
  };
  const taskOf = async (id: string) =>
    (await http.get(`/v1/tasks/${encodeURIComponent(id)}`).expect(200)).body;
  const ended = async (id: string) =>
    (await http.get(`/v1/tasks/${encodeURIComponent(id)}?wait=10`).expect(200)).body;
  const lease = async (request: object = {}) => {
    const answer = await http.post('/v1/queues/q/lease').send({ workerId: 'w', max: 1, ...request });
    return (answer.body.items ?? []) as { id: string; leaseToken: string; [field: string]: unknown }[];
  };
  const say = (id: string, verb: string, body: object = {}) =>
    http.post(`/v1/tasks/${encodeURIComponent(id)}/${verb}`).send(body);
  return { queue, stock, http, url, submit, taskOf, ended, lease, say };
}

/** A worker of the stock package. */
function stockWorker(processor: Processor | null, options: Partial<WorkerOptions> = {}): StockWorker {
  const worker = new StockWorker('q', processor, { connection, prefix, ...options });
  worker.on('error', () => undefined);
  opened.push(worker);
  return worker;
}

/** The lines of a table of the guide, whose columns have these titles. */
function table(...titles: string[]): string[][] {
  const text = readFileSync(join(root, 'docs/bullmq.md'), 'utf8');
  const tables = text.split('\n\n').map((part) => part.split('\n').map(cells));
  const found = tables.find(([head]) => head?.join() === titles.join());
  if (!found) throw new Error(`The guide has no table of ${titles.join(', ')}.`);
  return found.slice(2);
}

const cells = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('`', ''));

describe('a task that was posted', () => {
  test('is executed by a stock worker, whose result the API returns', async () => {
    const { http } = await start();
    const seen: Pick<Job, 'name' | 'data' | 'id'>[] = [];
    stockWorker(async ({ name, data, id }) => {
      seen.push({ name, data, id });
      return { sent: true };
    });
    const { body } = await http
      .post('/v1/tasks')
      .set('prefer', 'wait=10')
      .send({ type: 'mail.send', queue: 'q', id: 'order-42', payload: { to: 'ada@example.com' } })
      .expect(200);
    expect(body).toMatchObject({ id: 'q~order-42', state: 'completed', result: { sent: true }, attempt: 1 });
    expect(seen).toEqual([{ name: 'mail.send', data: { to: 'ada@example.com' }, id: 'order-42' }]);
  });

  test('has the options that the guide says', async () => {
    const { stock, submit } = await start();
    for (const [submitted, option] of table('submitted', 'option')) {
      const { id } = await submit(JSON.parse(submitted!));
      const { opts } = (await stock.getJob(id.slice(2)))!;
      expect(opts).toMatchObject(JSON.parse(option!));
      expect(opts).toMatchObject({
        removeOnComplete: { age: expect.any(Number) },
        removeOnFail: { count: expect.any(Number) },
      });
    }
  });

  test('of many is executed by priority and when it is due', async () => {
    const { http, submit } = await start();
    const tasks = [
      { id: 'low', priority: 'low' },
      { id: 'first', priority: 'critical' },
      { id: 'late', priority: 'critical', delay: '300ms' },
      { id: 'normal' },
    ];
    await http
      .post('/v1/tasks/batch')
      .send({ atomic: false, tasks: tasks.map((task) => ({ type: 'a', queue: 'q', ...task })) })
      .expect(202);
    const order: string[] = [];
    stockWorker(async ({ id }) => void order.push(id!));
    await submit({ id: 'last', delay: '600ms', priority: 'very_low' });
    await http.get('/v1/tasks/q~last?wait=10').expect(200);
    expect(order).toEqual(['first', 'normal', 'low', 'late', 'last']);
  });

  test('that fails there is retried as it says, and shows the errors', async () => {
    const { submit, ended } = await start();
    const { id } = await submit({ retry: { maxAttempts: 2, backoff: 'fixed', delay: 10, jitter: 'none' } });
    stockWorker(async ({ attemptsMade }) => {
      throw new Error(`broke ${attemptsMade}`);
    });
    expect(await ended(id)).toMatchObject({
      state: 'failed',
      failureReason: 'attempts-exhausted',
      attempt: 2,
      failures: 2,
      errors: [
        { attempt: 1, message: 'broke 0' },
        { attempt: 2, message: 'broke 1' },
      ],
    });
  });

  test('that fails there for good is not retried', async () => {
    const { submit, ended } = await start();
    const { id } = await submit();
    stockWorker(async () => {
      throw new UnrecoverableError('no such address');
    });
    expect(await ended(id)).toMatchObject({
      state: 'failed',
      failureReason: 'not-retryable',
      errors: [{ message: expect.stringContaining('no such address') }],
    });
  });

  test('shows the progress and the log of a stock worker while it runs', async () => {
    const { submit, taskOf, ended, http } = await start();
    let finish: () => void = () => undefined;
    const reported = new Promise<void>((resolve) => {
      stockWorker(async (job) => {
        await job.updateProgress({ percent: 40 });
        await job.log('half way');
        const finished = new Promise<void>((end) => (finish = end));
        resolve();
        await finished;
      });
    });
    const { id } = await submit();
    await reported;
    expect(await taskOf(id)).toMatchObject({ state: 'running', progress: { percent: 40 }, attempt: 1 });
    expect((await http.get(`/v1/tasks/${id}/logs`).expect(200)).body).toMatchObject({
      items: [{ message: 'half way' }],
    });
    finish();
    expect(await ended(id)).toMatchObject({ state: 'completed' });
  });

  test('is stored once however often it is submitted, and not where its id is taken', async () => {
    const { stock, submit, http } = await start();
    await submit({ id: 'once', payload: 1 });
    await submit({ id: 'once', payload: 1 });
    await http.post('/v1/tasks').send({ type: 'other', queue: 'q', id: 'once' }).expect(409);
    await stock.add('theirs', {}, { jobId: 'theirs' });
    await http.post('/v1/tasks').send({ type: 'theirs', queue: 'q', id: 'theirs' }).expect(409);
    expect(await stock.getJobCounts('prioritized', 'waiting')).toEqual({ prioritized: 1, waiting: 1 });
  });
});

describe('a job of a stock producer', () => {
  test('is a task of the API, leased and completed over HTTP', async () => {
    const { stock, http, lease, say, taskOf } = await start();
    const events = new QueueEvents('q', { connection, prefix });
    opened.push(events);
    await events.waitUntilReady();
    const job = await stock.add('image.resize', { width: 100 });
    expect(await taskOf(`q~${job.id}`)).toMatchObject({
      id: `q~${job.id}`,
      type: 'image.resize',
      state: 'pending',
      payload: { width: 100 },
    });
    const { body } = await http.get('/v1/tasks?queue=q&state=pending').expect(200);
    expect(body.items).toMatchObject([{ id: `q~${job.id}` }]);
    const [leased] = await lease();
    expect(leased).toMatchObject({
      id: `q~${job.id}`,
      type: 'image.resize',
      payload: { width: 100 },
      attempt: 1,
    });
    expect(await job.getState()).toBe('active');
    const finished = job.waitUntilFinished(events);
    await say(leased!.id, 'complete', { leaseToken: leased!.leaseToken, result: { bytes: 7 } }).expect(200);
    expect(await finished).toEqual({ bytes: 7 });
    expect(await taskOf(`q~${job.id}`)).toMatchObject({ state: 'completed', result: { bytes: 7 } });
  });

  test('is executed by a handler of ours, with its retries', async () => {
    const { queue, stock, ended } = await start();
    const handlers = new HandlerTable([
      {
        type: 'image.resize',
        queue: 'q',
        run({ payload, attempt }) {
          if (attempt === 1) throw new Error('once');
          return payload;
        },
      },
    ]);
    const runner = new Runner({ queue, handlers, queues: ['q'], workerId: 'ours' });
    runner.start();
    const job = await stock.add('image.resize', { width: 1 }, { attempts: 2, backoff: 10 });
    expect(await ended(`q~${job.id}`)).toMatchObject({
      state: 'completed',
      attempt: 2,
      failures: 1,
      errors: [{ message: 'once', workerId: 'ours' }],
      result: { width: 1 },
    });
    await runner.drain(1_000);
    const seen = (await stock.getJob(job.id!))!;
    expect(seen).toMatchObject({ attemptsMade: 2, returnvalue: { width: 1 } });
    expect(seen.stacktrace![0]).toContain('once');
  });

  test('that failed over HTTP is a failed job there, and is retried there', async () => {
    const { stock, lease, say, taskOf } = await start();
    const job = await stock.add('a', {}, { attempts: 2, backoff: { type: 'fixed', delay: 100_000 } });
    const [first] = await lease();
    const error = { message: 'no route', code: 'net', details: { host: 'x' } };
    await say(first!.id, 'fail', { leaseToken: first!.leaseToken, error }).expect(200);
    expect(await job.getState()).toBe('delayed');
    expect(await taskOf(first!.id)).toMatchObject({
      state: 'retrying',
      errors: [{ ...error, attempt: 1, workerId: 'w' }],
    });
    await job.promote();
    const [second] = await lease();
    await say(first!.id, 'fail', { leaseToken: second!.leaseToken, error, retryable: false }).expect(200);
    const failed = (await stock.getJob(job.id!))!;
    expect(await failed.isFailed()).toBe(true);
    expect(failed).toMatchObject({ failedReason: 'no route', attemptsMade: 2 });
    await failed.retry();
    expect(await taskOf(first!.id)).toMatchObject({ state: 'pending' });
  });

  test('with an id that is none here has one that is', async () => {
    const { stock, http, taskOf } = await start();
    await stock.add('a', { n: 1 }, { jobId: 'straße 5~b' });
    const { items } = (await http.get('/v1/tasks?queue=q&state=pending')).body;
    expect(items).toHaveLength(1);
    expect(await taskOf(items[0].id)).toMatchObject({ payload: { n: 1 } });
  });

  test('has the priority that the guide says', async () => {
    const { stock, taskOf, lease } = await start();
    for (const [job, task, word] of table("job's priority", "task's priority", 'shown as')) {
      const { id } = await stock.add('a', {}, { priority: Number.parseInt(job!, 10) });
      expect(await taskOf(`q~${id}`)).toMatchObject({ priority: Number(task), priorityName: word });
      expect(await lease()).toMatchObject([{ priority: Number(task) }]);
    }
  });

  const bring: Record<string, (stock: StockQueue) => Promise<string>> = {
    'wait pending': async (stock) => (await stock.add('a', {})).id!,
    'prioritized pending': async (stock) => (await stock.add('a', {}, { priority: 3 })).id!,
    'delayed scheduled': async (stock) => (await stock.add('a', {}, { delay: 60_000 })).id!,
    'delayed retrying': async (stock) => {
      const { id } = await stock.add('a', {}, { attempts: 2, backoff: 60_000 });
      const worker = stockWorker(null);
      const job = (await worker.getNextJob('t'))!;
      await job.moveToFailed(new Error('no'), 't', false);
      return id!;
    },
    'waiting-children scheduled': async () => {
      const flow = new FlowProducer({ connection, prefix });
      opened.push(flow);
      const child = { name: 'child', queueName: 'q', opts: { delay: 60_000 } };
      return (await flow.add({ name: 'a', queueName: 'q', children: [child] })).job.id!;
    },
    'active running': async (stock) => {
      const { id } = await stock.add('a', {});
      await stockWorker(null).getNextJob('t');
      return id!;
    },
    'completed completed': async (stock) => {
      const { id } = await stock.add('a', {});
      await (await stockWorker(null).getNextJob('t'))!.moveToCompleted(1, 't', false);
      return id!;
    },
    'failed failed': async (stock) => {
      const { id } = await stock.add('a', {});
      await (await stockWorker(null).getNextJob('t'))!.moveToFailed(new Error('no'), 't', false);
      return id!;
    },
  };
  const states = table('job is in', 'task is', 'because').filter(([from]) => from !== 'removed');

  test.each(states)('in %s is %s', async (from, state) => {
    const { stock, taskOf, http } = await start();
    const id = await bring[`${from} ${state}`]!(stock);
    expect(await taskOf(`q~${id}`)).toMatchObject({ state });
    const { body } = await http.get(`/v1/tasks?queue=q&state=${state}`).expect(200);
    expect(body.items.map((item: { id: string }) => item.id)).toContain(`q~${id}`);
  });

  test('that is removed there is gone', async () => {
    const { stock, http } = await start();
    const job = await stock.add('a', {});
    await job.remove();
    await http.get(`/v1/tasks/q~${job.id}`).expect(404);
  });
});

describe('a lease', () => {
  test('can only be settled by its own token, here and there', async () => {
    const { stock, lease, say, taskOf } = await start();
    const job = await stock.add('a', {});
    const [leased] = await lease();
    await say(leased!.id, 'complete', { leaseToken: 'x', result: 1 }).expect(409);
    const theirs = (await stock.getJob(job.id!))!;
    await expect(theirs.moveToCompleted(1, 'their-token', false)).rejects.toThrow(/lock/i);
    expect(await taskOf(leased!.id)).toMatchObject({ state: 'running' });
    await say(leased!.id, 'heartbeat', { leaseToken: leased!.leaseToken, progress: 5 }).expect(200);
    await say(leased!.id, 'complete', { leaseToken: leased!.leaseToken }).expect(200);
    const late = await say(leased!.id, 'fail', { leaseToken: 'y', error: { message: 'm' } }).expect(409);
    expect(late.body).toMatchObject({ code: 'lease-lost' });
  });

  test('of a stock worker cannot be taken by anybody else', async () => {
    const { stock, say } = await start();
    const { id } = await stock.add('a', {});
    const job = (await stockWorker(null).getNextJob('their-token'))!;
    await say(`q~${id}`, 'complete', { leaseToken: 'their-token' }).expect(409);
    await job.moveToCompleted('done', 'their-token', false);
    expect(await (await stock.getJob(id!))!.isCompleted()).toBe(true);
  });

  test('that lapsed goes to a stock worker, and who had it is told so', async () => {
    const { stock, lease, say, ended } = await start();
    await stock.add('a', {});
    const [leased] = await lease({ leaseDuration: '1s' });
    stockWorker(async () => 'theirs', { stalledInterval: 50 });
    expect(await ended(leased!.id)).toMatchObject({ state: 'completed', result: 'theirs', crashes: 1 });
    const late = await say(leased!.id, 'complete', { leaseToken: leased!.leaseToken, result: 'ours' }).expect(
      409,
    );
    expect(late.body).toMatchObject({ code: 'lease-lost' });
    expect(await ended(leased!.id)).toMatchObject({ result: 'theirs' });
  });

  test('is released without counting, for a stock worker to take', async () => {
    const { stock, lease, say, ended } = await start();
    await stock.add('a', {});
    const [leased] = await lease();
    await say(leased!.id, 'release', { leaseToken: leased!.leaseToken }).expect(200);
    stockWorker(async () => 1);
    expect(await ended(leased!.id)).toMatchObject({ state: 'completed', attempt: 1 });
  });
});

describe('an operator', () => {
  test('cancels, retries, promotes, changes and deletes tasks, as the stock package sees', async () => {
    const { stock, submit, say, http, taskOf } = await start();
    const { id } = await submit({ id: 'k', delay: '1h' });
    expect((await http.patch(`/v1/tasks/${id}`).send({ priority: 'high' }).expect(200)).body).toMatchObject({
      priority: 4,
    });
    expect((await stock.getJob('k'))!.opts.priority).toBeDefined();
    await say(id, 'promote').expect(200);
    expect(await (await stock.getJob('k'))!.getState()).toBe('prioritized');
    await say(id, 'cancel').expect(200);
    expect(await stock.getJob('k')).toBeUndefined();
    expect(await taskOf(id)).toMatchObject({ state: 'cancelled' });
    await say(id, 'retry').expect(200);
    expect(await (await stock.getJob('k'))!.getState()).toBe('prioritized');
    await say(id, 'cancel').expect(200);
    await http.delete(`/v1/tasks/${id}`).expect((answer) => expect(answer.status).toBeLessThan(300));
    await http.get(`/v1/tasks/${id}`).expect(404);
  });

  test('pauses and resumes the queue for stock workers, and purges what waits', async () => {
    const { stock, submit, http, ended } = await start();
    await http.post('/v1/queues/q/pause').expect((answer) => expect(answer.status).toBeLessThan(300));
    expect(await stock.isPaused()).toBe(true);
    const { id } = await submit();
    const worker = stockWorker(async () => 1);
    await worker.waitUntilReady();
    const { body } = await http.get('/v1/queues/q').expect(200);
    expect(body).toMatchObject({ paused: true, states: { pending: 1 } });
    await http.post('/v1/queues/q/resume').expect((answer) => expect(answer.status).toBeLessThan(300));
    expect(await ended(id)).toMatchObject({ state: 'completed' });
    await stock.pause();
    await submit();
    await submit({ delay: '1h' });
    await http
      .post('/v1/queues/q/purge')
      .send({ state: 'waiting' })
      .expect((answer) => expect(answer.status).toBeLessThan(300));
    expect(await stock.getJobCounts('waiting', 'prioritized', 'delayed')).toEqual({
      waiting: 0,
      prioritized: 0,
      delayed: 0,
    });
  });

  test('is refused by name what BullMQ lacks', async () => {
    const { http } = await start();
    const { body } = await http.post('/v1/tasks').send({ type: 'a', queue: 'q', tenant: 'acme' }).expect(501);
    expect(body).toMatchObject({ code: 'capability-not-supported', capability: 'tenants' });
    await http.post('/v1/tasks').set('idempotency-key', '"k"').send({ type: 'a', queue: 'q' }).expect(501);
    await http.post('/v1/queues/q/drain').expect(501);
    await http.post('/v1/tasks').send({ type: 'a', queue: 'q', id: '17' }).expect(501);
  });
});

describe('events', () => {
  test('of a task that a stock worker executes are streamed', async () => {
    const { url, submit } = await start();
    const { id } = await submit({ delay: '100ms' });
    const stream = await follow(`${url}/v1/tasks/${id}/events`);
    stockWorker(async (job) => {
      await job.updateProgress(50);
      return 1;
    });
    const words = (await stream.rest()).map(({ event, data }) => `${event} ${JSON.stringify(data)}`);
    expect(words.join()).toMatch(/scheduled.*running.*50.*completed/);
  });
});

describe('reading a task', () => {
  test('costs the same few commands whatever waits, and searches no list', async () => {
    const { stock, queue } = await start();
    await stock.addBulk(Array.from({ length: 2_000 }, () => ({ name: 'a', data: {} })));
    const { id } = await stock.add('a', {});
    const redis = new Redis(connection);
    const count = async () =>
      Promise.all(['lpos', 'lrange', 'evalsha', 'eval'].map((name) => commandCalls(redis, name)));
    const before = await count();
    expect(await queue.get([`q~${id}`])).toMatchObject([{ state: 'pending' }]);
    expect(await count()).toEqual(before);
    await redis.quit();
  });
});
