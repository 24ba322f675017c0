import { once } from 'node:events';
import { HandlerTable, Runner } from '@app/queue';
import { Queue as StockQueue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { follow } from '../support/events.js';
import { commandCalls } from '../support/redis.js';
import { type AssignedTask, cutSockets, openSocket, type SocketClient } from '../support/socket.js';
import {
  closeLater,
  connection,
  place,
  start,
  startBullmqApi,
  stockWorker,
  useBullmq,
} from './bullmq-support.js';

type Http = Awaited<ReturnType<typeof start>>['http'];

useBullmq();
afterEach(cutSockets);

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

  test('drains the queue for every process of the service, until it is resumed', async () => {
    const { stock, http, submit, ended, lease, say } = await start();
    const other = await startBullmqApi();
    const task = { type: 'a', queue: 'q', id: 'before' };
    await submit(task);
    const failed = await stock.add('a', {}, { attempts: 1 });
    const [first] = await lease();
    await say(first!.id, 'fail', { leaseToken: first!.leaseToken, error: { message: 'no' } }).expect(200);

    await http.post('/v1/queues/q/drain').expect(200);
    for (const api of [http, other.http]) {
      const { body } = await api.post('/v1/tasks').send({ type: 'a', queue: 'q' }).expect(409);
      expect(body).toMatchObject({ code: 'queue-draining' });
      await api.post('/v1/tasks').send(task).expect(202);
      await api
        .post('/v1/tasks')
        .send({ ...task, payload: 2 })
        .expect(409);
      expect((await api.get('/v1/queues/q').expect(200)).body).toMatchObject({ draining: true, backlog: 1 });
    }
    // What nobody can refuse, or comes back.
    const theirs = await stock.add('a', {});
    await say(`q~${failed.id}`, 'retry').expect(200);
    stockWorker(async () => 1);
    for (const id of ['before', theirs.id, failed.id]) {
      expect(await ended(`q~${id}`)).toMatchObject({ state: 'completed' });
    }

    await other.http.post('/v1/queues/q/resume').expect(200);
    await submit();
    expect((await http.get('/v1/queues/q').expect(200)).body).toMatchObject({ draining: false });
  });

  test('is refused by name what BullMQ lacks', async () => {
    const { http } = await start();
    const { body } = await http.post('/v1/tasks').send({ type: 'a', queue: 'q', tenant: 'acme' }).expect(501);
    expect(body).toMatchObject({ code: 'capability-not-supported', capability: 'tenants' });
    await http.post('/v1/tasks').send({ type: 'a', queue: 'q', id: '17' }).expect(501);
  });
});

describe('an idempotency key', () => {
  const submitWith = (http: Http, task: object = {}) =>
    http
      .post('/v1/tasks')
      .set('idempotency-key', '"k"')
      .send({ type: 'a', queue: 'q', payload: 1, ...task });

  test('makes one job of all that are submitted with it, over whichever process', async () => {
    const { http, stock } = await start();
    const other = await startBullmqApi();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => submitWith(n % 2 ? http : other.http).expect(202)),
    );
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    expect(await stock.getJobCounts('prioritized', 'waiting')).toEqual({ prioritized: 1, waiting: 0 });
    await submitWith(http, { payload: 2 }).expect(422);
    await stock.obliterate({ force: true });
    expect((await submitWith(http).expect(410)).body).toMatchObject({ code: 'task-gone' });
  });

  test('whose submission stopped before the job was stored stores it when it is repeated', async () => {
    const { http, stock } = await start();
    const { body } = await submitWith(http).expect(202);
    await (await stock.getJob(body.id.slice(2)))!.remove();
    const notes = closeLater(new StockQueue('q~keys', place()));
    const [note] = await notes.getDelayed();
    const { stored, ...use } = note!.data as { stored: true };
    expect(stored).toBe(true);
    await note!.updateData(use);
    expect((await submitWith(http).expect(202)).body).toMatchObject({ id: body.id, state: 'pending' });
    expect(await stock.getJobCounts('prioritized')).toEqual({ prioritized: 1 });
  });

  test('is not used up where the queue is drained, which is refused all the same', async () => {
    const { http } = await start();
    await http.post('/v1/queues/q/drain').expect(200);
    await submitWith(http).expect(409);
    await http.post('/v1/queues/q/resume').expect(200);
    await submitWith(http, { payload: 2 }).expect(202);
    await http.post('/v1/queues/q/drain').expect(200);
    await submitWith(http, { payload: 2 }).expect(202);
  });
});

describe('cancelling a task that runs', () => {
  test('is told its worker by a heartbeat over any process, and those who follow it when it has stopped', async () => {
    const { stock, url, submit, lease, say, taskOf } = await start();
    const other = await startBullmqApi();
    const { id } = await submit({ id: 'k' });
    const [leased] = await lease();
    const { leaseToken } = leased!;
    const stream = await follow(`${url}/v1/tasks/${id}/events`);
    await other.http.post(`/v1/tasks/${id}/cancel`).expect(200);
    expect(await taskOf(id)).toMatchObject({ state: 'running', cancelRequested: true });
    const { body } = await other.http.get('/v1/tasks?queue=q&state=running').expect(200);
    expect(body.items).toMatchObject([{ id, cancelRequested: true }]);
    expect((await say(id, 'heartbeat', { leaseToken }).expect(200)).body).toMatchObject({
      cancelRequested: true,
    });
    const { body: settled } = await say(id, 'release', { leaseToken }).expect(200);
    expect(settled).toMatchObject({ state: 'cancelled' });
    expect(await taskOf(id)).toMatchObject({ state: 'cancelled', cancelRequested: false, attempt: 0 });
    expect(await stock.getJob('k')).toBeUndefined();
    const states = (await stream.rest()).flatMap(({ event, data }) => (event === 'state' ? [data] : []));
    expect(states.at(-1)).toMatchObject({ state: 'cancelled' });
  });

  test('stops a handler of ours', async () => {
    const { queue, submit, say, ended } = await start();
    const { id } = await submit();
    const handlers = new HandlerTable([
      {
        type: 'mail.send',
        queue: 'q',
        run: async ({ signal }) => {
          await say(id, 'cancel');
          await once(signal, 'abort');
          throw signal.reason;
        },
      },
    ]);
    const runner = new Runner({ queue, handlers, queues: ['q'], workerId: 'ours', leaseMs: 1_000 });
    runner.start();
    expect(await ended(id)).toMatchObject({ state: 'cancelled' });
    await runner.drain(1_000);
  });

  test('loses against a result, and is forgotten', async () => {
    const { submit, lease, say, taskOf } = await start();
    const { id } = await submit({ id: 'k' });
    const [leased] = await lease();
    await say(id, 'cancel').expect(200);
    await say(id, 'complete', { leaseToken: leased!.leaseToken, result: 1 }).expect(200);
    expect(await taskOf(id)).toMatchObject({ state: 'completed', result: 1 });
    // Another task of the id is another task.
    const { http } = await startBullmqApi();
    await http.delete(`/v1/tasks/${id}`).expect(204);
    await submit({ id: 'k' });
    const [again] = await lease();
    await say(id, 'release', { leaseToken: again!.leaseToken }).expect(200);
    expect(await lease()).toMatchObject([{ id }]);
  });

  test('ends it where its worker is gone: nobody of ours begins it again', async () => {
    const { queue, submit, lease, say, taskOf } = await start();
    const redis = new Redis(connection);
    closeLater({ close: () => redis.quit() });
    // BullMQ takes a job away at the second look that finds it without a lock.
    const look = async (who: () => Promise<unknown>) => {
      await redis.del(`${place().prefix}:q:stalled-check`);
      await who();
    };
    const theirs = () => stockWorker(null).getBackend().moveStalledJobsToWait();
    for (const who of [() => queue.reap('q'), theirs]) {
      const { id } = await submit();
      const [leased] = await lease();
      expect(leased).toMatchObject({ id });
      await say(id, 'cancel').expect(200);
      await redis.del(`${place().prefix}:q:${id.slice(2)}:lock`);
      await look(theirs);
      await look(who);
      expect(await taskOf(id)).toMatchObject({ state: who === theirs ? 'pending' : 'cancelled' });
      expect(await lease()).toEqual([]);
      expect(await taskOf(id)).toMatchObject({ state: 'cancelled' });
    }
  });

  test('is refused where a stock worker runs it, which nobody can tell', async () => {
    const { stock, say, taskOf } = await start();
    const { id } = await stock.add('a', {});
    const job = (await stockWorker(null).getNextJob('t'))!;
    const { body } = await say(`q~${id}`, 'cancel').expect(501);
    expect(body).toMatchObject({ code: 'capability-not-supported', capability: 'cancel-running' });
    expect(await taskOf(`q~${id}`)).toMatchObject({ state: 'running', cancelRequested: false });
    await job.moveToCompleted(1, 't', false);
    expect(await taskOf(`q~${id}`)).toMatchObject({ state: 'completed' });
  });

  test('of a schedule’s next job is refused: the schedule would make it again', async () => {
    const { stock, say } = await start();
    await stock.upsertJobScheduler('daily', { every: 86_400_000 }, { name: 'a' });
    const [job] = await stock.getJobs(['delayed', 'waiting', 'prioritized']);
    const { body } = await say(`q~%%${encodeURIComponent(job!.id!)}`, 'cancel').expect(409);
    expect(body).toMatchObject({ code: 'wrong-state' });
    expect(await stock.getJob(job!.id!)).toBeDefined();
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

  test('of a task have the lines that its worker writes here, over any process', async () => {
    const { submit, lease, say, stock } = await start();
    const other = await startBullmqApi();
    const { id } = await submit();
    const stream = await follow(`${other.url}/v1/tasks/${id}/events`);
    const [leased] = await lease();
    const { leaseToken } = leased!;
    await say(id, 'heartbeat', { leaseToken, logs: ['one', 'two'] }).expect(200);
    await say(id, 'complete', { leaseToken, logs: ['three'] }).expect(200);
    const told = (await stream.rest()).filter(({ event }) => event === 'logs');
    const lines = told.map(({ data }) => (data as { items: { message: string }[] }).items);
    expect(lines.map((each) => each.map(({ message }) => message))).toEqual([['one', 'two'], ['three']]);
    expect((await stock.getJobLogs(id.slice(2))).logs[0]).toMatch(/^\S+Z #1 one$/);
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

describe('a worker on a WebSocket', () => {
  const register = async (url: string, terms: object = {}) => {
    const socket = await openSocket(url);
    const { type, body } = await socket.ask<{ session: string; received: number }>('register', {
      ...{ workerId: 'ws', queues: ['q'], ...terms },
    });
    expect(type).toBe('registered');
    return { ...socket, ...body };
  };
  const assigned = async (socket: SocketClient) =>
    (await socket.next<{ items: AssignedTask[] }>('assigned')).body.items;

  test('executes what a stock producer adds, which sees the result', async () => {
    const { url, stock } = await start();
    const events = closeLater(new QueueEvents('q', place()));
    await events.waitUntilReady();
    const worker = await register(url);
    await worker.ask('credit', { received: 0, free: 1 });
    const job = await stock.add('image.resize', { width: 1 });
    const [task] = await assigned(worker);
    expect(task).toMatchObject({
      id: `q~${job.id}`,
      type: 'image.resize',
      payload: { width: 1 },
      attempt: 1,
    });
    const held = { id: task!.id, leaseToken: task!.leaseToken };
    const { body: extended } = await worker.ask('heartbeat', { leases: [{ ...held, progress: 50 }] });
    expect(extended).toMatchObject({ outcomes: [{ id: task!.id, leaseExpiresAt: expect.any(String) }] });
    const finished = job.waitUntilFinished(events);
    const { body } = await worker.ask('settle', {
      settlements: [{ ...held, action: 'complete', result: 7 }],
    });
    expect(body).toMatchObject({ outcomes: [{ state: 'completed' }] });
    expect(await finished).toBe(7);
    expect((await stock.getJob(job.id!))!.progress).toBe(50);
  });

  test('that is cut gets back, over another API process, what it holds', async () => {
    const { url, stock, ended } = await start();
    const other = await startBullmqApi();
    await stock.add('a', {});
    const worker = await register(url);
    await worker.ask('credit', { received: 0, free: 1 });
    const [task] = await assigned(worker);
    worker.cut();
    const again = await register(other.url, { resume: { session: worker.session, received: 1 } });
    const settlements = [{ id: task!.id, leaseToken: task!.leaseToken, action: 'complete', result: 1 }];
    expect((await again.ask('settle', { settlements })).body).toMatchObject({
      outcomes: [{ state: 'completed' }],
    });
    expect(await ended(task!.id)).toMatchObject({ state: 'completed', result: 1 });
  });
});
