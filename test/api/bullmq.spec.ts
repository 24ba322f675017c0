import { HandlerTable, Runner } from '@app/queue';
import { FlowProducer, type Job, type Queue as StockQueue, QueueEvents, UnrecoverableError } from 'bullmq';
import { closeLater, place, start, stockWorker, table, useBullmq } from './bullmq-support.js';

useBullmq();

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
    const events = closeLater(new QueueEvents('q', place()));
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
      const flow = closeLater(new FlowProducer(place()));
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
