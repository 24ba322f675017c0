import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createRedisQueue } from '@app/queue';
import request from 'supertest';
import { createApi } from '../../apps/api/src/create-api.js';
import { openTestQueue, ownRedis } from '../support/redis.js';
import { closeApis, startApi } from './support.js';

afterEach(closeApis);

test('a task goes through the API and Redis from its submission to its result', async () => {
  const { queue, cleanup } = await openTestQueue();
  try {
    const { http } = await startApi(queue);
    const task = { type: 'demo.echo', queue: 'q', id: 'a/b', payload: { x: [1, null, 'ü'] }, tags: ['t'] };
    const posted = await http.post('/v1/tasks').send(task).expect(202);
    const again = await http.post('/v1/tasks').send(task).expect(202).expect('idempotent-replayed', 'true');
    expect(again.body).toEqual(posted.body);

    const location = posted.headers['location']!;
    const waiting = http
      .get(`${location}?wait=10`)
      .expect(200)
      .then(({ body }) => body);
    const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 30_000 });
    const { id, leaseToken, payload } = tasks[0]!;
    expect(payload).toBe('{"x":[1,null,"ü"]}');
    await queue.settle([{ id, leaseToken, action: 'complete', result: '{"ok":true}', logs: ['done'] }]);
    expect(await waiting).toMatchObject({
      state: 'completed',
      payload: task.payload,
      result: { ok: true },
      tags: ['t'],
    });

    expect((await http.get(`${location}/logs`).expect(200)).body.items).toMatchObject([
      { message: 'done', attempt: 1 },
    ]);
    expect((await http.get('/v1/tasks?state=completed').expect(200)).body.items).toMatchObject([{ id }]);
    expect((await http.get('/v1/queues/q/stats').expect(200)).body.types).toMatchObject({
      'demo.echo': { completed: 1 },
    });
    await http.post(`${location}/cancel`).expect(409);
    await http.get('/health/ready').expect(200);
  } finally {
    await cleanup();
  }
});

test('a batch over the API into Redis is all or nothing, and names what kept it out', async () => {
  const { queue, cleanup } = await openTestQueue();
  try {
    const { http } = await startApi(queue);
    await http.post('/v1/tasks').send({ type: 'a', id: 'one' }).expect(202);
    const tasks = [
      { type: 'a', id: 'two' },
      { type: 'b', id: 'one' },
    ];
    const { body } = await http.post('/v1/tasks/batch').send({ tasks }).expect(409);
    expect(body).toMatchObject({ code: 'id-conflict', errors: [{ pointer: '/tasks/1' }] });
    await http.get('/v1/tasks/default~two').expect(404);
    expect(
      (await http.post('/v1/tasks/batch').send({ tasks, atomic: false }).expect(202)).body,
    ).toMatchObject({ accepted: 1, refused: 1 });
  } finally {
    await cleanup();
  }
});

describe('a Redis that goes away', () => {
  let app: NestFastifyApplication | undefined;
  afterEach(() => app?.close());

  test('makes the API answer 503 within two seconds, and 202 again by itself', async () => {
    const redis = await ownRedis();
    const queue = createRedisQueue({ address: { url: redis.url } });
    try {
      await queue.open();
      app = await createApi(queue, {
        auth: 'off',
        apiKeys: [],
        requestTimeoutMs: 30_000,
        followersMax: 100,
        socketsMax: 1,
        socketPingMs: 30_000,
      });
      await app.listen(0, '127.0.0.1');
      const http = request(await app.getUrl());
      const post = () => http.post('/v1/tasks').send({ type: 'a' });
      await post().expect(202);
      await redis.server.stop();
      for (let round = 0; round < 3; round++) {
        const startedAt = performance.now();
        await post()
          .expect(503)
          .expect('retry-after', /^[123]$/);
        expect(performance.now() - startedAt).toBeLessThan(2_000);
      }
      await http.get('/health/ready').expect(503);
      await redis.restart();
      let status = 0;
      for (const endsAt = performance.now() + 10_000; status !== 202 && performance.now() < endsAt;)
        ({ status } = await post());
      expect(status).toBe(202);
    } finally {
      await queue.close();
      await redis.cleanup();
    }
  }, 30_000);
});
