import { afterEach, expect, test } from '@jest/globals';
import { Queue as StockQueue } from 'bullmq';
import { ended, post, request, type TaskBody } from '../support/client.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

afterEach(killLeftovers);

/** Where nothing listens. */
const NOWHERE = 'redis://127.0.0.1:1';

test('an API on memory needs no Redis: workers ask it over HTTP, and it does the chores', async () => {
  const api = await startApi(NOWHERE, { FAIRLANE_BACKEND: 'memory' });
  const submitted = await post<TaskBody>(`${api.url}/v1/tasks`, { type: 'a', delay: '100ms' });
  const leased = await post<{ items: { leaseToken: string }[] }>(`${api.url}/v1/queues/default/lease`, {
    workerId: 'w',
    wait: '10s',
  });
  const { id } = submitted.body;
  const { leaseToken } = leased.body.items[0]!;
  await post(`${api.url}/v1/tasks/${id}/complete`, { leaseToken, result: 42 });
  expect(await ended(api.url, id)).toMatchObject({ state: 'completed', result: 42 });
  expect(await api.stop()).toMatchObject({ code: 0 });
});

test('a worker of another process refuses to begin on memory', async () => {
  await expect(startWorker(NOWHERE, { FAIRLANE_BACKEND: 'memory' })).rejects.toThrow(
    /ended with 78:\n.*FAIRLANE_BACKEND=memory: only the API itself has that memory/s,
  );
});

test('queues on BullMQ and on our own engine are one service, with one worker for both', async () => {
  const redis = await ownRedis();
  const stock = new StockQueue('legacy-a', { connection: { port: redis.server.port } });
  try {
    const env = { FAIRLANE_BULLMQ_QUEUES: 'legacy-*' };
    const api = await startApi(redis.url, env);
    await startWorker(redis.url, { ...env, WORKER_QUEUES: 'default,legacy-a' });
    const queues = ['default', 'legacy-a', 'default', 'legacy-a'];
    const { status, body } = await post<{ items: { task: TaskBody }[] }>(`${api.url}/v1/tasks/batch`, {
      tasks: queues.map((queue, payload) => ({ type: 'demo.echo', queue, payload })),
      atomic: false,
    });
    expect(status).toBe(202);
    const done = await Promise.all(body.items.map(({ task }) => ended(api.url, task.id)));
    expect(done).toMatchObject(queues.map((queue, result) => ({ queue, state: 'completed', result })));
    expect(await stock.getJobCounts('completed')).toEqual({ completed: 2 });

    const get = async (path: string) => (await request(api.url + path)).body;
    const completed = { states: { completed: 2 } };
    expect(await get('/v1/queues')).toMatchObject({
      items: [
        { queue: 'default', ...completed },
        { queue: 'legacy-a', ...completed },
      ],
    });
    expect(await get('/v1/stats')).toMatchObject({ queues: 2, states: { completed: 4 } });
    expect(await get('/v1/workers')).toMatchObject({ items: [{ queues: ['default', 'legacy-a'] }] });
    expect(await get('/v1/info')).toMatchObject({
      backend: { name: 'redis' },
      otherBackends: [{ name: 'bullmq', queues: ['legacy-*'] }],
    });
    const { status: refused, body: problem } = await post(`${api.url}/v1/tasks`, {
      type: 'a',
      queue: 'legacy-a',
      orderingKey: 'o',
    });
    expect([refused, problem]).toMatchObject([501, { capability: 'ordering-keys' }]);
  } finally {
    await stock.close();
    await killLeftovers();
    await redis.cleanup();
  }
});

test('a service that is on BullMQ as a whole works without a word of trouble', async () => {
  const redis = await ownRedis();
  try {
    const env = { FAIRLANE_BACKEND: 'bullmq', FAIRLANE_BULLMQ_QUEUES: 'mail' };
    const api = await startApi(redis.url, env);
    const worker = await startWorker(redis.url, env);
    const task = { type: 'demo.echo', payload: 1, delay: '100ms' };
    const { body } = await post<TaskBody>(`${api.url}/v1/tasks`, task, { prefer: 'wait=10' });
    expect(body).toMatchObject({ state: 'completed', result: 1 });
    const { body: queues } = await request(`${api.url}/v1/queues`);
    expect(queues).toMatchObject({ items: [{ queue: 'default' }, { queue: 'mail' }] });
    expect((await request(`${api.url}/v1/workers`)).status).toBe(501);
    for (const { url } of [api, worker]) {
      expect(await (await fetch(`${url}/metrics`)).text()).not.toMatch(/scrape_errors_total [1-9]/);
    }
    for (const each of [api, worker]) expect(await each.stop()).toMatchObject({ code: 0 });
    const troubles = [...api.lines, ...worker.lines].filter((line) => /"level":[4-9]0/.test(line));
    expect(troubles).toEqual([]);
  } finally {
    await killLeftovers();
    await redis.cleanup();
  }
});
