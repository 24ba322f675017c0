import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { QueueError, type NewTask, type Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { closeApis, startApi, startApiOver, STORES } from './support.js';

afterEach(closeApis);

const REQUEST_ID = 'Yb3kQ9x0T1uVw2Zp4RsA';

const submit = (queue: Queue, ...keys: string[]) =>
  queue.enqueue(keys.map((key): NewTask => ({ type: 'a', queue: 'q', key })));

const stored = async (queue: Queue, key: string) => (await queue.get([`q~${key}`]))[0];

const post = (url: string, body: object, signal?: AbortSignal) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });

interface Leased {
  items: { id: string; leaseToken: string; tenant: string; attempt: number }[];
}

/** Sends a request over a connection of its own, which `leave` cuts. */
const visit = (url: string, body: object) => {
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  sent.on('error', () => undefined);
  sent.end(JSON.stringify(body));
  const items = once(sent, 'response').then(async ([answer]) => ((await json(answer)) as Leased).items);
  items.catch(() => undefined);
  return { items, leave: () => void sent.destroy() };
};

const until = async (holds: () => boolean | Promise<boolean>) => {
  while (!(await holds())) await delay(5);
};

/** Tells how many wait for work, and lets a test act before one of them hears of it. */
const watchWaits = (queue: Queue, onHeard?: (signal?: AbortSignal) => Promise<void>) => {
  const wait = queue.waitForWork.bind(queue);
  const watch = { parked: 0, wait };
  queue.waitForWork = async (...args) => {
    watch.parked++;
    try {
      const heard = await wait(...args);
      if (heard !== undefined) await onHeard?.(args[2]);
      return heard;
    } finally {
      watch.parked--;
    }
  };
  return watch;
};

const pointersOf = (body: { errors?: { pointer: string }[] }) =>
  body.errors?.map(({ pointer }) => pointer).sort();

describe.each(STORES)('over %s', (store) => {
  /** An API with tasks of which the first one or more are leased; answers the tokens. */
  const started = async (keys: string[], max = keys.length) => {
    const api = await startApiOver(store);
    await submit(api.queue, ...keys);
    const { body } = await api.http.post('/v1/queues/q/lease').send({ workerId: 'w', max }).expect(200);
    const tokens = (body as Leased).items.map(({ leaseToken }) => leaseToken);
    return { ...api, tokens };
  };

  describe('taking tasks', () => {
    test('answers with all that a worker needs', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue([
        {
          type: 'email.send',
          queue: 'q',
          key: '1',
          payload: '{"to":"ada@example.com","n":[1,null]}',
          tenant: 'acme',
          priority: 4,
          timeoutMs: 5_000,
          orderingKey: 'account-7',
          tags: ['t'],
          metadata: { source: 'signup' },
        },
        { type: 'a', queue: 'q', key: '2' },
      ]);
      const { body } = await http.post('/v1/queues/q/lease').send({ workerId: 'w' }).expect(200);
      expect(body).toEqual({
        items: [
          {
            id: 'q~1',
            queue: 'q',
            type: 'email.send',
            tenant: 'acme',
            priority: 4,
            priorityName: 'high',
            payload: { to: 'ada@example.com', n: [1, null] },
            attempt: 1,
            failures: 0,
            crashes: 0,
            errors: [],
            tags: ['t'],
            metadata: { source: 'signup' },
            timeoutMs: 5_000,
            orderingKey: 'account-7',
            createdAt: expect.any(String),
            leaseToken: expect.any(String),
            leaseExpiresAt: expect.any(String),
          },
        ],
        more: true,
      });
      const task = await stored(queue, '1');
      expect(task).toMatchObject({ state: 'running', workerId: 'w', attempt: 1 });
      expect(new Date(task!.leaseExpiresAt!).toISOString()).toBe(body.items[0].leaseExpiresAt);
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBe(30_000);
    });

    test('takes as many as wanted, for as long as wanted, with the errors of earlier attempts', async () => {
      const { http, queue, tokens } = await started(['1', '2', '3'], 1);
      await http
        .post('/v1/tasks/q~1/fail')
        .send({ leaseToken: tokens[0], error: { message: 'no', code: 'c', details: [1] }, retryIn: 0 })
        .expect(200);
      const { body } = await http
        .post('/v1/queues/q/lease')
        .send({ workerId: 'w', max: 1_000, leaseDuration: '1h' })
        .expect(200);
      expect(body.more).toBe(false);
      expect(body.items.map(({ id }: { id: string }) => id)).toEqual(['q~2', 'q~3', 'q~1']);
      expect(body.items[2]).toMatchObject({
        attempt: 2,
        failures: 1,
        errors: [{ attempt: 1, message: 'no', code: 'c', details: [1], workerId: 'w' }],
      });
      const task = await stored(queue, '3');
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBe(3_600_000);
    });

    test('of a queue that has nothing, or does not exist, answers 204', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue([{ type: 'a', queue: 'q', delayMs: 60_000 }]);
      for (const name of ['q', 'nowhere']) {
        const { text } = await http.post(`/v1/queues/${name}/lease`).send({ workerId: 'w' }).expect(204);
        expect(text).toBe('');
      }
      await http.get('/v1/queues/nowhere').expect(404);
    });

    test('a repeat answers with what the first request took and still holds', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1', '2', '3');
      const lease = () =>
        http.post('/v1/queues/q/lease').send({ workerId: 'w', max: 2, requestId: REQUEST_ID });
      const first = await lease().expect(200);
      expect((await lease().expect(200)).body.items).toEqual(first.body.items);
      const { leaseToken } = first.body.items[0];
      await http.post('/v1/tasks/q~1/complete').send({ leaseToken }).expect(200);
      expect((await lease().expect(200)).body.items).toEqual([first.body.items[1]]);
      expect(await stored(queue, '3')).toMatchObject({ state: 'pending' });
    });

    test('a repeat for no task tells what the first request took, and takes nothing', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1', '2');
      const terms = { workerId: 'w', requestId: REQUEST_ID, wait: '30s' };
      const lease = (max: number) => http.post('/v1/queues/q/lease').send({ ...terms, max });
      const first = await lease(1).expect(200);
      expect((await lease(0).expect(200)).body.items).toEqual(first.body.items);
      expect(await stored(queue, '2')).toMatchObject({ state: 'pending' });
    });

    test('a request that comes after its repeat for no task takes nothing', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1');
      const terms = { workerId: 'w', requestId: REQUEST_ID };
      await http
        .post('/v1/queues/q/lease')
        .send({ ...terms, max: 0, wait: '30s' })
        .expect(204);
      await http.post('/v1/queues/q/lease').send(terms).expect(204);
      expect(await stored(queue, '1')).toMatchObject({ state: 'pending' });
    });

    test('a repeat that waits gets new tasks where the first ones have gone back', async () => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1');
      const lease = (wait: string) =>
        http.post('/v1/queues/q/lease').send({ workerId: 'w', requestId: REQUEST_ID, wait });
      const { leaseToken } = (await lease('0ms').expect(200)).body.items[0];
      await http.post('/v1/tasks/q~1/release').send({ leaseToken }).expect(200);
      const again = await lease('30s').expect(200);
      expect(again.body.items[0]).toMatchObject({ id: 'q~1', attempt: 1 });
      expect(again.body.items[0].leaseToken).not.toBe(leaseToken);
    });

    test('tenants are served first, others when they have nothing, or only those named, or nobody', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue(
        ['b', 'c', 'd', 'acme'].map((tenant) => ({ type: 'a', queue: 'q', tenant, key: tenant })),
      );
      const lease = async (steal?: boolean | string[]) => {
        const terms = { workerId: 'w', tenants: ['acme'], steal };
        const response = await http.post('/v1/queues/q/lease').send(terms);
        return response.status === 204
          ? 204
          : (response.body as Leased).items.map(({ tenant }) => tenant).join();
      };
      expect(await lease()).toBe('acme');
      expect(await lease(false)).toBe(204);
      expect(await lease(['c'])).toBe('c');
      expect(await lease(['c'])).toBe(204);
      expect(await lease(true)).toBe('b');
    });
  });

  describe('waiting for tasks', () => {
    test('of twenty parked polls exactly one gets the one task, and the others go on waiting', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const leaving = new AbortController();
      const answers: number[] = [];
      const polls = Array.from({ length: 20 }, async (_, n) => {
        const terms = { workerId: `w${n}`, wait: '60s' };
        const response = await post(`${url}/v1/queues/q/lease`, terms, leaving.signal);
        answers.push(response.status);
        return (await response.json()) as Leased;
      });
      await until(() => watch.parked === 20);
      await submit(queue, '1');
      const { items } = await Promise.race(polls);
      expect(items).toMatchObject([{ id: 'q~1', attempt: 1 }]);
      await until(() => watch.parked === 19);
      await delay(50);
      expect(answers).toEqual([200]);
      expect(watch.parked).toBe(19);
      expect(await stored(queue, '1')).toMatchObject({ state: 'running', attempt: 1 });
      leaving.abort();
      await Promise.allSettled(polls);
    });

    test('every one of many submissions finds a parked poll', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const polls = Array.from({ length: 10 }, async (_, n) => {
        const response = await post(`${url}/v1/queues/q/lease`, { workerId: `w${n}`, wait: '60s' });
        return ((await response.json()) as Leased).items[0]!.id;
      });
      await until(() => watch.parked === 10);
      const keys = Array.from({ length: 10 }, (_, n) => String(n));
      await submit(queue, ...keys);
      expect((await Promise.all(polls)).sort()).toEqual(keys.map((key) => `q~${key}`));
    });

    test('a poll takes what falls due while it waits', async () => {
      const { http, queue } = await startApiOver(store);
      await queue.enqueue([{ type: 'a', queue: 'q', key: '1', delayMs: 200 }]);
      const { body } = await http.post('/v1/queues/q/lease').send({ workerId: 'w', wait: '60s' }).expect(200);
      expect(body.items).toMatchObject([{ id: 'q~1' }]);
    });

    test('many polls take what a rate lets start, one after the other', async () => {
      const { url, queue } = await startApiOver(store);
      await queue.configure('q', { rate: { limit: 1, perMs: 100 } });
      const polls = Array.from({ length: 5 }, async (_, n) => {
        const response = await post(`${url}/v1/queues/q/lease`, { workerId: `w${n}`, wait: '60s' });
        return ((await response.json()) as Leased).items[0]!.id;
      });
      await submit(queue, '1', '2', '3', '4', '5');
      expect(new Set(await Promise.all(polls)).size).toBe(5);
    });

    test('a poll that finds nothing in its time is answered 204', async () => {
      const { http } = await startApiOver(store);
      await http.post('/v1/queues/q/lease').send({ workerId: 'w', wait: 50 }).expect(204);
    });

    test('a poll for some tenants is woken for them, and takes no token from those who serve everybody', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const terms = { workerId: 'w', tenants: ['acme'], steal: false, wait: '60s' };
      const poll = post(`${url}/v1/queues/q/lease`, terms);
      await until(() => watch.parked === 1);
      const everybody = watch.wait(['q'], 60_000);
      await queue.enqueue([{ type: 'a', queue: 'q', tenant: 'other' }]);
      expect(await everybody).toBe('q');
      await queue.enqueue([{ type: 'a', queue: 'q', tenant: 'acme' }]);
      const { items } = (await (await poll).json()) as Leased;
      expect(items.map(({ tenant }) => tenant)).toEqual(['acme']);
    });

    test('a poll whose client disappears waits no more and takes nothing', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w', wait: '60s' });
      await until(() => watch.parked === 1);
      client.leave();
      await until(() => watch.parked === 0);
      await submit(queue, '1');
      expect(await queue.waitForWork(['q'], 5_000)).toBe('q');
      expect(await stored(queue, '1')).toMatchObject({ state: 'pending', attempt: 0 });
    });

    test('a poll whose client disappears with the wake token passes it on', async () => {
      const { url, queue } = await startApiOver(store);
      const watch = watchWaits(queue, async (signal) => {
        client.leave();
        await until(() => signal?.aborted === true);
      });
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w', wait: '60s' });
      await until(() => watch.parked === 1);
      const somebodyElse = watch.wait(['q'], 5_000);
      await submit(queue, '1');
      expect(await somebodyElse).toBe('q');
      expect(await stored(queue, '1')).toMatchObject({ state: 'pending', attempt: 0 });
    });

    test('what was taken for a client that left meanwhile goes back uncounted', async () => {
      const { app, url, queue } = await startApiOver(store);
      await submit(queue, '1', '2');
      const lease = queue.lease.bind(queue);
      let taken = false;
      queue.lease = async (terms) => {
        const found = await lease(terms);
        client.leave();
        await until(() => connectionsOf(app.getHttpServer()).then((count) => count === 0));
        taken = true;
        return found;
      };
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w', max: 2 });
      await until(async () => taken && (await stored(queue, '2'))?.state === 'pending');
      expect(await stored(queue, '1')).toMatchObject({
        state: 'pending',
        attempt: 0,
        crashes: 0,
        errors: [],
      });
      const { tasks } = await lease({ queue: 'q', workerId: 'x', max: 2, leaseMs: 30_000 });
      expect(tasks.map(({ id }) => id)).toEqual(['q~1', 'q~2']);
    });

    test('what was taken for a client that leaves in the middle of the answer goes back uncounted', async () => {
      const { port, queue } = await startApiOver(store);
      const payload = JSON.stringify('x'.repeat(1_000_000));
      const keys = Array.from({ length: 30 }, (_, n) => String(n));
      for (const key of keys) await queue.enqueue([{ type: 'a', queue: 'q', key, payload }]);
      const socket = connect(port, '127.0.0.1');
      const body = JSON.stringify({ workerId: 'w', max: 30 });
      socket.write(
        `POST /v1/queues/q/lease HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await once(socket, 'readable');
      expect(await stored(queue, '29')).toMatchObject({ state: 'running' });
      socket.destroy();
      await until(async () => (await stored(queue, '29'))?.state === 'pending');
      expect(await stored(queue, '0')).toMatchObject({ state: 'pending', attempt: 0 });
    });

    test('what was answered stays leased when the client leaves', async () => {
      const { app, url, queue } = await startApiOver(store);
      await submit(queue, '1');
      const client = visit(`${url}/v1/queues/q/lease`, { workerId: 'w' });
      const items = await client.items;
      expect(items).toHaveLength(1);
      client.leave();
      await until(() => connectionsOf(app.getHttpServer()).then((count) => count === 0));
      await delay(50);
      expect(await stored(queue, '1')).toMatchObject({ state: 'running', attempt: 1 });
    });

    test('a shutdown answers parked polls', async () => {
      const { app, url, queue } = await startApiOver(store);
      const watch = watchWaits(queue);
      const poll = post(`${url}/v1/queues/q/lease`, { workerId: 'w', wait: '60s' });
      await until(() => watch.parked === 1);
      const closing = app.close();
      expect((await poll).status).toBe(204);
      await closing;
    });
  });

  describe('settling a task', () => {
    test.each([null, 0, '', [], { a: { b: [1.5, '\u2028'] } }])(
      'complete keeps the result %j, and a repeat answers the same',
      async (result) => {
        const { http, queue, tokens } = await started(['1']);
        const body = { leaseToken: tokens[0], result, logs: ['done'] };
        for (let round = 0; round < 2; round++) {
          await http.post('/v1/tasks/q~1/complete').send(body).expect(200, { id: 'q~1', state: 'completed' });
        }
        expect(await stored(queue, '1')).toMatchObject({
          state: 'completed',
          result: JSON.stringify(result),
          attempt: 1,
        });
        expect((await queue.logs('q~1')).map(({ message }) => message)).toEqual(['done']);
      },
    );

    test('complete without a result leaves the task without one', async () => {
      const { http, queue, tokens } = await started(['1']);
      await http.post('/v1/tasks/q~1/complete').send({ leaseToken: tokens[0] }).expect(200);
      expect((await stored(queue, '1'))?.result).toBeUndefined();
    });

    test('fail keeps the error and tries again as the retry policy says', async () => {
      const { http, queue, tokens } = await started(['1']);
      const error = { message: 'no', code: 'mail-refused', details: { host: 'x' } };
      const body = { leaseToken: tokens[0], error };
      for (let round = 0; round < 2; round++) {
        await http.post('/v1/tasks/q~1/fail').send(body).expect(200, { id: 'q~1', state: 'retrying' });
      }
      expect(await stored(queue, '1')).toMatchObject({
        state: 'retrying',
        failures: 1,
        errors: [{ ...error, attempt: 1, workerId: 'w' }],
      });
    });

    test('fail tries again after the time given, or never', async () => {
      const { http, queue, tokens } = await started(['1', '2']);
      const error = { message: 'no' };
      const before = Date.now();
      await http
        .post('/v1/tasks/q~1/fail')
        .send({ leaseToken: tokens[0], error, retryIn: '10d' })
        .expect(200, { id: 'q~1', state: 'retrying' });
      expect((await stored(queue, '1'))!.dueAt! - before).toBeGreaterThan(9 * 86_400_000);
      await http
        .post('/v1/tasks/q~2/fail')
        .send({ leaseToken: tokens[1], error, retryable: false })
        .expect(200, { id: 'q~2', state: 'failed' });
      expect(await stored(queue, '2')).toMatchObject({ failureReason: 'not-retryable' });
    });

    test('an error that is too long is cut and never refused', async () => {
      const { http, queue, tokens } = await started(['1']);
      const error = { message: 'x'.repeat(5_000), code: 'c'.repeat(100), details: 'd'.repeat(20_000) };
      await http.post('/v1/tasks/q~1/fail').send({ leaseToken: tokens[0], error }).expect(200);
      const kept = (await stored(queue, '1'))!.errors[0]!;
      expect([kept.message.length, kept.code?.length, kept.details]).toEqual([
        4_000,
        64,
        '(dropped: too long)',
      ]);
    });

    test('release gives the task back uncounted, and holds the queue back where told to', async () => {
      const { http, queue, tokens } = await started(['1', '2']);
      for (let round = 0; round < 2; round++) {
        await http
          .post('/v1/tasks/q~1/release')
          .send({ leaseToken: tokens[0] })
          .expect(200, { id: 'q~1', state: 'pending' });
      }
      expect(await stored(queue, '1')).toMatchObject({ attempt: 0, errors: [] });
      await http.post('/v1/tasks/q~2/release').send({ leaseToken: tokens[1], retryAfter: '1h' }).expect(200);
      await http.post('/v1/queues/q/lease').send({ workerId: 'w' }).expect(204);
    });

    test('a task that somebody wants cancelled ends cancelled, unless it completes', async () => {
      const { http, queue, tokens } = await started(['1', '2', '3']);
      await queue.cancel(['q~1', 'q~2', 'q~3']);
      const settle = (key: string, action: string, body: object) =>
        http.post(`/v1/tasks/q~${key}/${action}`).send(body).expect(200);
      const failed = await settle('1', 'fail', { leaseToken: tokens[0], error: { message: 'stopped' } });
      const released = await settle('2', 'release', { leaseToken: tokens[1] });
      const completed = await settle('3', 'complete', { leaseToken: tokens[2] });
      expect([failed, released, completed].map(({ body }) => body.state)).toEqual([
        'cancelled',
        'cancelled',
        'completed',
      ]);
    });

    const all: [string, object][] = [
      ['complete', {}],
      ['fail', { error: { message: 'no' } }],
      ['release', {}],
      ['heartbeat', {}],
    ];

    test.each(all)('%s with another token is refused, and nothing changes', async (action, body) => {
      const { http, queue } = await started(['1']);
      const before = await stored(queue, '1');
      for (const leaseToken of ['x', 'ü \n~', `${REQUEST_ID}.0`]) {
        const answer = await http
          .post(`/v1/tasks/q~1/${action}`)
          .send({ leaseToken, ...body })
          .expect(409);
        expect(answer.body).toMatchObject({ code: 'lease-lost', taskId: 'q~1' });
      }
      expect(await stored(queue, '1')).toEqual(before);
    });

    test.each(all)('%s after the lease was lost is refused, and nothing changes', async (action, body) => {
      const { http, queue } = await startApiOver(store);
      await submit(queue, '1');
      await queue.reap('q');
      const lease = { workerId: 'w', leaseDuration: '1s' };
      const first = (await http.post('/v1/queues/q/lease').send(lease).expect(200)).body as Leased;
      await until(async () => (await queue.reap('q')).count === 1);
      const second = (await http.post('/v1/queues/q/lease').send({ workerId: 'v' }).expect(200))
        .body as Leased;
      const before = await stored(queue, '1');
      expect(before).toMatchObject({ state: 'running', attempt: 2, crashes: 1, workerId: 'v' });
      const { leaseToken } = first.items[0]!;
      const answer = await http
        .post(`/v1/tasks/q~1/${action}`)
        .send({ leaseToken, ...body })
        .expect(409);
      expect(answer.body.code).toBe('lease-lost');
      expect(await stored(queue, '1')).toEqual(before);
      const { leaseToken: current } = second.items[0]!;
      await http
        .post(`/v1/tasks/q~1/${action}`)
        .send({ leaseToken: current, ...body })
        .expect(200);
    });

    test.each(all)('%s of a task there is not is refused', async (action, body) => {
      const { http } = await startApiOver(store);
      const send = (id: string) => http.post(`/v1/tasks/${id}/${action}`).send({ leaseToken: 'x', ...body });
      expect((await send('q~1').expect(404)).body).toMatchObject({ code: 'task-not-found', taskId: 'q~1' });
      expect((await send('no-id').expect(422)).body.code).toBe('invalid-task-id');
    });
  });

  describe('a heartbeat', () => {
    test('extends the lease, and keeps progress and lines', async () => {
      const { http, queue, tokens } = await started(['1']);
      const { body } = await http
        .post('/v1/tasks/q~1/heartbeat')
        .send({ leaseToken: tokens[0], progress: { percent: 40 }, logs: ['a', 'b'], extend: '1h' })
        .expect(200);
      const task = await stored(queue, '1');
      expect(task).toMatchObject({ state: 'running', progress: '{"percent":40}' });
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBeGreaterThanOrEqual(3_600_000);
      expect(body).toEqual({
        leaseExpiresAt: new Date(task!.leaseExpiresAt!).toISOString(),
        cancelRequested: false,
      });
      expect((await queue.logs('q~1')).map(({ message }) => message)).toEqual(['a', 'b']);
    });

    test('without news leaves the progress as it was, and extends by the standard', async () => {
      const { http, queue, tokens } = await started(['1']);
      const beat = (news: object) =>
        http.post('/v1/tasks/q~1/heartbeat').send({ leaseToken: tokens[0], ...news });
      await beat({ progress: 1, extend: '1h' }).expect(200);
      await beat({}).expect(200);
      const task = await stored(queue, '1');
      expect(task!.progress).toBe('1');
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBeLessThan(3_000_000);
    });

    test('says that somebody wants the task cancelled', async () => {
      const { http, queue, tokens } = await started(['1']);
      await queue.cancel(['q~1']);
      const { body } = await http.post('/v1/tasks/q~1/heartbeat').send({ leaseToken: tokens[0] }).expect(200);
      expect(body.cancelRequested).toBe(true);
    });

    test('of many leases answers for each', async () => {
      const { http, queue, tokens } = await started(['1', '2']);
      const { body } = await http
        .post('/v1/leases/heartbeat')
        .send({
          leases: [
            { id: 'q~1', leaseToken: tokens[0], progress: [1], logs: ['x'] },
            { id: 'q~2', leaseToken: 'other' },
            { id: 'other~3', leaseToken: 'x' },
            { id: 'q~2', leaseToken: tokens[1] },
          ],
          extend: '1h',
        })
        .expect(200);
      expect(body.outcomes).toMatchObject([
        { id: 'q~1', leaseExpiresAt: expect.any(String), cancelRequested: false },
        { id: 'q~2', problem: { code: 'lease-lost', status: 409, taskId: 'q~2' } },
        { id: 'other~3', problem: { code: 'task-not-found', status: 404 } },
        { id: 'q~2', leaseExpiresAt: expect.any(String), cancelRequested: false },
      ]);
      const task = await stored(queue, '1');
      expect(task!.progress).toBe('[1]');
      expect(task!.leaseExpiresAt! - task!.startedAt!).toBeGreaterThanOrEqual(3_600_000);
    });
  });

  describe('settling many', () => {
    test('answers for each, in order, and a repeat answers the same', async () => {
      const { http, queue, tokens } = await started(['1', '2', '3', '4']);
      const settlements = [
        { id: 'q~2', leaseToken: tokens[1], action: 'fail', error: { message: 'no' }, retryable: false },
        { id: 'q~1', leaseToken: tokens[0], action: 'complete', result: { n: 1 }, logs: ['x'] },
        { id: 'q~4', leaseToken: tokens[0], action: 'complete' },
        { id: 'other~1', leaseToken: 'x', action: 'complete' },
        { id: 'q~3', leaseToken: tokens[2], action: 'release', retryAfter: '1h' },
      ];
      for (let round = 0; round < 2; round++) {
        const { body } = await http.post('/v1/leases/settle').send({ settlements }).expect(200);
        expect(body).toEqual({
          outcomes: [
            { id: 'q~2', state: 'failed' },
            { id: 'q~1', state: 'completed' },
            { id: 'q~4', problem: expect.objectContaining({ code: 'lease-lost', taskId: 'q~4' }) },
            { id: 'other~1', problem: expect.objectContaining({ code: 'task-not-found' }) },
            { id: 'q~3', state: 'pending' },
          ],
        });
      }
      expect(await stored(queue, '1')).toMatchObject({ state: 'completed', result: '{"n":1}' });
      expect(await stored(queue, '4')).toMatchObject({ state: 'running' });
    });

    test('takes the next tasks in the same step, once for all repeats', async () => {
      const { http, queue, tokens } = await started(['1', '2', '3'], 1);
      const step = {
        settlements: [{ id: 'q~1', leaseToken: tokens[0], action: 'complete' }],
        next: { queue: 'q', workerId: 'w', requestId: REQUEST_ID, leaseDuration: '1h' },
      };
      const first = await http.post('/v1/leases/settle').send(step).expect(200);
      expect(first.body).toMatchObject({
        outcomes: [{ id: 'q~1', state: 'completed' }],
        lease: { items: [{ id: 'q~2', attempt: 1, leaseToken: `${REQUEST_ID}.0` }], more: true },
      });
      const second = await http.post('/v1/leases/settle').send(step).expect(200);
      expect(second.body.lease.items).toEqual(first.body.lease.items);
      expect(await stored(queue, '3')).toMatchObject({ state: 'pending' });
    });

    test('says so where there is nothing to take next, or where it is of another queue', async () => {
      const { http, queue, tokens } = await started(['1', '2']);
      const settle = (key: string, leaseToken: string | undefined, name: string) =>
        http.post('/v1/leases/settle').send({
          settlements: [{ id: `q~${key}`, leaseToken, action: 'complete' }],
          next: { queue: name, workerId: 'w' },
        });
      const nothing = await settle('1', tokens[0], 'q').expect(200);
      expect(nothing.body.lease).toEqual({ items: [], more: false });
      await queue.enqueue([{ type: 'a', queue: 'other', key: '1' }]);
      const other = await settle('2', tokens[1], 'other').expect(200);
      expect(other.body).toMatchObject({
        outcomes: [{ state: 'completed' }],
        lease: { items: [{ id: 'other~1' }] },
      });
    });

    test('gives back what was taken next for a client that left, and settles all the same', async () => {
      const { app, url, queue, tokens } = await started(['1', '2'], 1);
      const settle = queue.settle.bind(queue);
      let calls = 0;
      queue.settle = async (...args) => {
        const settled = await settle(...args);
        client.leave();
        await until(() => connectionsOf(app.getHttpServer()).then((count) => count === 0));
        calls++;
        return settled;
      };
      const client = visit(`${url}/v1/leases/settle`, {
        settlements: [{ id: 'q~1', leaseToken: tokens[0], action: 'complete' }],
        next: { queue: 'q', workerId: 'w' },
      });
      await until(() => calls === 2);
      expect(await stored(queue, '2')).toMatchObject({ state: 'pending', attempt: 0 });
      expect(await stored(queue, '1')).toMatchObject({ state: 'completed' });
    });
  });
});

describe('a request that is not valid', () => {
  const big = 'x'.repeat(1_048_576);

  test.each<[string, object, string[]]>([
    ['no worker', {}, ['/workerId']],
    ['an unknown field', { workerId: 'w', queue: 'q' }, ['/queue']],
    [
      'every field wrong',
      {
        workerId: 'a b',
        max: -1,
        leaseDuration: '500ms',
        wait: '61s',
        requestId: 'short',
        tenants: ['ü'],
        steal: 'no',
      },
      ['/leaseDuration', '/max', '/requestId', '/steal', '/tenants/0', '/wait', '/workerId'],
    ],
    ['too many', { workerId: 'w', max: 1_001 }, ['/max']],
    ['a lease of a day', { workerId: 'w', leaseDuration: '24h' }, ['/leaseDuration']],
    ['a bad name among those to steal from', { workerId: 'w', steal: ['a', ''] }, ['/steal/1']],
    ['nobody to serve', { workerId: 'w', steal: false }, ['/steal']],
    ['an empty list of those to serve', { workerId: 'w', steal: [] }, ['/steal']],
  ])('a lease with %s is refused, and nothing is taken', async (_, body, pointers) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    const answer = await http.post('/v1/queues/q/lease').send(body).expect(422);
    expect(answer.body.code).toBe('invalid-request');
    expect(pointersOf(answer.body)).toEqual(pointers);
    expect(await stored(queue, '1')).toMatchObject({ state: 'pending' });
  });

  test('a lease of a queue that cannot be is refused', async () => {
    const { http } = await startApi();
    const { body } = await http.post('/v1/queues/q~1/lease').send({ workerId: 'w' }).expect(422);
    expect(pointersOf(body)).toEqual(['/queue']);
  });

  const leaseToken = `${REQUEST_ID}.0`;

  test.each<[string, string, object, string[]]>([
    ['complete', 'no token', {}, ['/leaseToken']],
    ['complete', 'an empty token', { leaseToken: '' }, ['/leaseToken']],
    ['complete', 'a field of fail', { leaseToken, error: { message: 'x' } }, ['/error']],
    ['complete', 'lines that are none', { leaseToken, logs: ['a', 1] }, ['/logs/1']],
    ['fail', 'no error', { leaseToken }, ['/error']],
    ['fail', 'an error without message', { leaseToken, error: { code: 'x' } }, ['/error/message']],
    ['fail', 'an error that is text', { leaseToken, error: 'x' }, ['/error']],
    [
      'fail',
      'every field wrong',
      { leaseToken: 1, error: { message: 1, code: 2, stack: '' }, retryable: 'no', retryIn: '31d', logs: '' },
      ['/error/code', '/error/message', '/error/stack', '/leaseToken', '/logs', '/retryIn', '/retryable'],
    ],
    ['release', 'a time too long', { leaseToken, retryAfter: '2h' }, ['/retryAfter']],
    ['heartbeat', 'no token', { extend: '30s' }, ['/leaseToken']],
    ['heartbeat', 'too long a lease', { leaseToken, extend: '13h' }, ['/extend']],
  ])('%s with %s is refused, and nothing changes', async (action, _, body, pointers) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    const answer = await http.post(`/v1/tasks/q~1/${action}`).send(body).expect(422);
    expect(pointersOf(answer.body)).toEqual(pointers);
    expect(await stored(queue, '1')).toMatchObject({ state: 'running', attempt: 1 });
  });

  test.each<[string, string, object, string]>([
    ['a result', '/v1/tasks/q~1/complete', { leaseToken, result: big }, '/result'],
    ['progress', '/v1/tasks/q~1/heartbeat', { leaseToken, progress: 'x'.repeat(16_384) }, '/progress'],
    [
      'a result among many',
      '/v1/leases/settle',
      {
        settlements: [
          { id: 'q~1', leaseToken, action: 'complete' },
          { id: 'q~2', leaseToken, action: 'complete', result: big },
        ],
      },
      '/settlements/1/result',
    ],
    [
      'progress among many',
      '/v1/leases/heartbeat',
      { leases: [{ id: 'q~1', leaseToken, progress: 'x'.repeat(16_384) }] },
      '/leases/0/progress',
    ],
  ])('%s that is too long is refused, and nothing changes', async (_, path, body, pointer) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    const answer = await http.post(path).send(body).expect(413);
    expect(answer.body.code).toBe('payload-too-large');
    expect(pointersOf(answer.body)).toEqual([pointer]);
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
    expect((await stored(queue, '1'))?.progress).toBeUndefined();
  });

  const end = { id: 'q~1', leaseToken, action: 'complete' };

  test.each<[string, object, string[]]>([
    ['nothing to settle', { settlements: [] }, ['/settlements']],
    ['too much to settle', { settlements: Array.from({ length: 1_001 }, () => end) }, ['/settlements']],
    ['something that is no settlement', { settlements: [end, 5] }, ['/settlements/1']],
    [
      'fields of other actions',
      {
        settlements: [
          { ...end, error: { message: 'x' }, retryable: true, retryIn: 1, retryAfter: 1 },
          { ...end, action: 'fail', result: 1 },
          { ...end, action: 'stop' },
          { ...end, id: 'x' },
        ],
      },
      [
        '/settlements/0/error',
        '/settlements/0/retryAfter',
        '/settlements/0/retryIn',
        '/settlements/0/retryable',
        '/settlements/1/error',
        '/settlements/1/result',
        '/settlements/2/action',
        '/settlements/3/id',
      ],
    ],
    ['no queue to go on with', { settlements: [end], next: { workerId: 'w' } }, ['/next/queue']],
    ['a wait', { settlements: [end], next: { queue: 'q', workerId: 'w', wait: '1s' } }, ['/next/wait']],
    [
      'nobody to serve next',
      { settlements: [end], next: { queue: 'q', workerId: 'w', steal: false } },
      ['/next/steal'],
    ],
  ])('settling many with %s is refused, and nothing is settled', async (_, body, pointers) => {
    const { http, queue } = await startApi();
    await submit(queue, '1');
    await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    const answer = await http.post('/v1/leases/settle').send(body).expect(422);
    expect(pointersOf(answer.body)).toEqual(pointers);
    expect(await stored(queue, '1')).toMatchObject({ state: 'running' });
  });

  test.each<[string, object, string[]]>([
    ['no leases', {}, ['/leases']],
    [
      'something that is no lease',
      { leases: [{ id: 'q~1', leaseToken }, {}] },
      ['/leases/1/id', '/leases/1/leaseToken'],
    ],
    ['too short a lease', { leases: [{ id: 'q~1', leaseToken }], extend: 10 }, ['/extend']],
  ])('a heartbeat of many with %s is refused', async (_, body, pointers) => {
    const { http } = await startApi();
    const answer = await http.post('/v1/leases/heartbeat').send(body).expect(422);
    expect(pointersOf(answer.body)).toEqual(pointers);
  });
});

describe('while the store is away', () => {
  test.each([
    ['/v1/queues/q/lease', { workerId: 'w', wait: '30s' }],
    ['/v1/tasks/q~1/complete', { leaseToken: 'x' }],
    ['/v1/tasks/q~1/heartbeat', { leaseToken: 'x' }],
    ['/v1/leases/settle', { settlements: [{ id: 'q~1', leaseToken: 'x', action: 'complete' }] }],
    ['/v1/leases/heartbeat', { leases: [{ id: 'q~1', leaseToken: 'x' }] }],
  ])('%s answers 503 and when to come back', async (path, body) => {
    const away = () => Promise.reject(new QueueError('store-unavailable'));
    const queue = Object.assign(new MemoryQueue(), { lease: away, settle: away, extend: away });
    const { http } = await startApi(queue as Queue);
    const answer = await http.post(path).send(body).expect(503).expect('retry-after', /\d/);
    expect(answer.body.code).toBe('store-unavailable');
  });
});

function connectionsOf(server: { getConnections(done: (error: Error | null, count: number) => void): void }) {
  return new Promise<number>((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}
