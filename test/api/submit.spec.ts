import { request } from 'node:http';
import type { NewTask, Queue, Task } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { closeApis, countStored, startApi } from './support.js';

afterEach(closeApis);

const full = {
  type: 'email.send',
  payload: { to: 'ada@example.com', n: [1, 2.5, null, true] },
  queue: 'emails',
  priority: 'high',
  tenant: 'acme',
  ttl: '1h',
  timeout: '30s',
  orderingKey: 'account-7',
  retry: { maxAttempts: 5, backoff: ['1s', 5_000], jitter: 'full' },
  tags: ['newsletter'],
  metadata: { source: 'signup' },
  id: 'order-42',
};

/** Takes the task and completes it, as a worker would. */
async function complete(queue: Queue, task: { queue: string }, result: unknown): Promise<void> {
  const { tasks } = await queue.lease({ queue: task.queue, workerId: 'w', max: 1, leaseMs: 30_000 });
  const { id, leaseToken } = tasks[0]!;
  await queue.settle([{ id, leaseToken, action: 'complete', result: JSON.stringify(result) }]);
}

describe('submitting a task', () => {
  test('answers 202 with the task and where it is', async () => {
    const { http } = await startApi();
    const { body, headers } = await http.post('/v1/tasks').send(full).expect(202);
    expect(headers['location']).toBe('/v1/tasks/emails~order-42');
    expect(headers['idempotent-replayed']).toBeUndefined();
    expect(body).toEqual({
      id: 'emails~order-42',
      queue: 'emails',
      type: 'email.send',
      state: 'pending',
      tenant: 'acme',
      priority: 4,
      priorityName: 'high',
      payload: full.payload,
      attempt: 0,
      failures: 0,
      crashes: 0,
      errors: [],
      tags: ['newsletter'],
      metadata: { source: 'signup' },
      retry: {
        maxAttempts: 5,
        backoff: [1_000, 5_000],
        delayMs: 1_000,
        maxDelayMs: 2_592_000_000,
        jitter: 'full',
      },
      timeoutMs: 30_000,
      orderingKey: 'account-7',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      expiresAt: expect.any(String),
      cancelRequested: false,
    });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(3_600_000);
  });

  test('needs no more than a type', async () => {
    const { http } = await startApi();
    const { body } = await http.post('/v1/tasks').send({ type: 'demo.echo' }).expect(202);
    expect(body).toMatchObject({ queue: 'default', tenant: 'default', priority: 3, state: 'pending' });
    expect(body.id).toMatch(/^default~[0-9A-Z]{26}$/);
    expect(body).not.toHaveProperty('payload');
  });

  test.each([
    ['a number of ms', 90_000],
    ['seconds', '90s'],
    ['a fraction of minutes', '1.5m'],
  ])('a delay is %s', async (_, delay) => {
    const { http } = await startApi();
    const { body } = await http.post('/v1/tasks').send({ type: 'a', delay }).expect(202);
    expect(body.state).toBe('scheduled');
    expect(Date.parse(body.runAt) - Date.parse(body.createdAt)).toBe(90_000);
  });

  test('runAt is a moment with any offset, and one that has passed means at once', async () => {
    const { http } = await startApi();
    const later = await http.post('/v1/tasks').send({ type: 'a', runAt: '2099-01-01T02:00:00.5+02:00' });
    expect(later.body).toMatchObject({ state: 'scheduled', runAt: '2099-01-01T00:00:00.500Z' });
    const past = await http.post('/v1/tasks').send({ type: 'a', runAt: '2001-01-01T00:00:00Z' });
    expect(past.body.state).toBe('pending');
  });

  test.each([null, 0, '', 'text', [], [[1]], { 'a/b': { '': null } }, '\u2028\ud83d\ude00 ü', '\ud800'])(
    'the payload %j comes back as it was sent',
    async (payload) => {
      const { http } = await startApi();
      const { body } = await http.post('/v1/tasks').send({ type: 'a', payload }).expect(202);
      const got = await http.get(`/v1/tasks/${encodeURIComponent(body.id)}`).expect(200);
      expect(got.body.payload).toEqual(payload);
    },
  );

  test('a payload of exactly the limit is taken', async () => {
    const { http } = await startApi();
    await http
      .post('/v1/tasks')
      .send({ type: 'a', payload: 'x'.repeat(1_048_574) })
      .expect(202);
  });
});

describe('submitting a task again', () => {
  test('with the same id and content answers as the first time and stores nothing', async () => {
    const { http, queue } = await startApi();
    const first = await http.post('/v1/tasks').send(full).expect(202);
    await complete(queue, { queue: 'emails' }, 'sent');
    const second = await http.post('/v1/tasks').send(full).expect(202);
    expect(second.body).toEqual(first.body);
    expect(second.headers).toMatchObject({
      'idempotent-replayed': 'true',
      location: first.headers['location'],
    });
    expect(await countStored(queue)).toBe(1);
  });

  test('with the same id and another content is a conflict', async () => {
    const { http } = await startApi();
    await http.post('/v1/tasks').send(full).expect(202);
    const { body } = await http
      .post('/v1/tasks')
      .send({ ...full, payload: 2 })
      .expect(409);
    expect(body).toMatchObject({ code: 'id-conflict', taskId: 'emails~order-42' });
  });

  test('with the same Idempotency-Key replays, whatever the order of the fields', async () => {
    const { http, queue } = await startApi();
    const post = () => http.post('/v1/tasks').set('Idempotency-Key', '"abc"');
    const first = await post()
      .send({ type: 'a', payload: { x: 1, y: { b: 1, a: 2 } } })
      .expect(202);
    const second = await post()
      .send({ payload: { y: { a: 2, b: 1 }, x: 1 }, type: 'a' })
      .expect(202);
    expect(second.body).toEqual(first.body);
    expect(second.headers['idempotent-replayed']).toBe('true');
    expect(await countStored(queue)).toBe(1);
  });

  test('with the same Idempotency-Key and another body is refused', async () => {
    const { http, queue } = await startApi();
    const post = () => http.post('/v1/tasks').set('Idempotency-Key', 'abc');
    await post()
      .send({ type: 'a', payload: [1, 2] })
      .expect(202);
    const { body } = await post()
      .send({ type: 'a', payload: [2, 1] })
      .expect(422);
    expect(body.code).toBe('idempotency-mismatch');
    expect(await countStored(queue)).toBe(1);
  });

  test.each(['', '"', 'a b', 'ü', 'x'.repeat(129), 'a~b'])(
    'the Idempotency-Key %j is refused by name',
    async (key) => {
      const { http, queue } = await startApi();
      const { body } = await http
        .post('/v1/tasks')
        .set('Idempotency-Key', Buffer.from(key).toString('latin1'))
        .send({ type: 'a' })
        .expect(400);
      expect(body).toMatchObject({
        code: 'malformed-header',
        detail: expect.stringContaining('Idempotency-Key'),
      });
      expect(await countStored(queue)).toBe(0);
    },
  );
});

describe('submitting with Prefer: wait', () => {
  /** Completes each task as soon as it is stored. */
  class Diligent extends MemoryQueue {
    override async enqueue(tasks: readonly NewTask[]) {
      const outcomes = await super.enqueue(tasks);
      setImmediate(() => void complete(this, { queue: 'default' }, { echo: true }));
      return outcomes;
    }
  }

  test('answers 200 with the finished task', async () => {
    const { http } = await startApi(new Diligent());
    const { body, headers } = await http
      .post('/v1/tasks')
      .set('Prefer', 'respond-async, wait=10')
      .send({ type: 'demo.echo' })
      .expect(200);
    expect(body).toMatchObject({ state: 'completed', result: { echo: true }, attempt: 1 });
    expect(headers['preference-applied']).toBe('wait=10');
    expect(headers['location']).toBe(`/v1/tasks/${body.id}`);
  });

  test('answers 202 with the task as it is when time is up', async () => {
    const { http } = await startApi();
    const { body } = await http.post('/v1/tasks').set('Prefer', 'wait=0').send({ type: 'a' }).expect(202);
    expect(body.state).toBe('pending');
  });

  test('grants no more than a minute, and ignores what it cannot read', async () => {
    const { http } = await startApi(new Diligent());
    const long = await http.post('/v1/tasks').set('Prefer', 'wait=99999').send({ type: 'a' }).expect(200);
    expect(long.headers['preference-applied']).toBe('wait=60');
    const odd = await http.post('/v1/tasks').set('Prefer', 'wait=soon').send({ type: 'a' }).expect(202);
    expect(odd.headers['preference-applied']).toBeUndefined();
  });

  test('a client that leaves ends the wait', async () => {
    let ended!: (reason: string) => void;
    const end = new Promise<string>((resolve) => (ended = resolve));
    class Watched extends MemoryQueue {
      override async waitForEnd(
        id: string,
        timeoutMs: number,
        signal?: AbortSignal,
      ): Promise<Task | undefined> {
        leaving.destroy();
        const task = await super.waitForEnd(id, timeoutMs, signal);
        ended(signal?.aborted ? 'aborted' : 'timed out');
        return task;
      }
    }
    const { url } = await startApi(new Watched());
    const headers = { prefer: 'wait=20', 'content-type': 'application/json' };
    const leaving = request(`${url}/v1/tasks`, { method: 'POST', headers }).on('error', () => undefined);
    leaving.end('{"type":"a"}');
    expect(await end).toBe('aborted');
  });
});
