import { afterEach, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { ended, post, request, type TaskBody } from '../support/client.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

const stores: Awaited<ReturnType<typeof ownRedis>>[] = [];
afterEach(async () => {
  await killLeftovers();
  await Promise.all(stores.splice(0).map((store) => store.cleanup()));
});

test('while the Redis of BullMQ is away the other queues go on, and its own when it is back', async () => {
  const [own, bull] = [await ownRedis(), await ownRedis({ appendfsync: 'always' })];
  stores.push(own, bull);
  const env = { FAIRLANE_BULLMQ_QUEUES: 'legacy', FAIRLANE_BULLMQ_REDIS_URL: bull.url };
  const api = await startApi(own.url, env);
  const worker = await startWorker(own.url, { ...env, WORKER_QUEUES: 'default,legacy' });
  const submit = (queue: string, task: object = {}) =>
    post<TaskBody>(`${api.url}/v1/tasks`, { type: 'demo.echo', queue, ...task });

  const kept = await submit('legacy', { delay: '1s' });
  expect(kept.status).toBe(202);
  process.kill(bull.server.pid, 'SIGKILL');
  await bull.server.exited;

  for (let n = 0; n < 5; n += 1) {
    const { body } = await submit('default', { payload: n });
    expect(await ended(api.url, body.id)).toMatchObject({ state: 'completed', result: n });
  }
  expect(await submit('legacy')).toMatchObject({ status: 503, body: { code: 'store-unavailable' } });
  expect((await request(`${api.url}/v1/queues/default`)).status).toBe(200);
  for (const { url } of [api, worker]) {
    expect(await request(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { checks: { store: { status: 'unavailable', detail: 'bullmq: store-unavailable' } } },
    });
  }

  await bull.restart();
  while ((await request(`${api.url}/health/ready`)).status !== 200) await delay(50);
  expect(await ended(api.url, kept.body.id)).toMatchObject({ state: 'completed', attempt: 1 });
  const { body } = await submit('legacy', { payload: 1 });
  expect(await ended(api.url, body.id)).toMatchObject({ state: 'completed', result: 1 });
}, 60_000);
