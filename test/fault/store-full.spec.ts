import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createRedisQueue, type LeasedTask, type Queue, QueueError } from '@app/queue';
import { Redis } from 'ioredis';
import { post } from '../support/client.js';
import { killLeftovers, startApi } from '../support/processes.js';
import { forgetScripts, ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;
let admin: Redis;
let queue: Queue;

beforeAll(async () => {
  redis = await ownRedis();
  admin = new Redis(redis.url);
  queue = createRedisQueue({ address: { url: redis.url } });
  await queue.open();
});
afterEach(killLeftovers);
afterAll(async () => {
  await queue.close();
  await admin.quit();
  await redis.cleanup();
});

const payload = JSON.stringify('x'.repeat(20_000));

/** Leaves no room, with some to spare: buffers come and go. */
async function fill(): Promise<void> {
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))![1]);
  await admin.config('SET', 'maxmemory', Math.floor(used * 0.9));
}

test('a full store refuses new tasks, and lets what it has be finished', async () => {
  await queue.enqueue(Array.from({ length: 20 }, () => ({ type: 't', queue: 'q', payload })));
  const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 5, leaseMs: 60_000 });
  const [completed, failed, released, extended, cancelled] = tasks as [
    LeasedTask,
    LeasedTask,
    LeasedTask,
    LeasedTask,
    LeasedTask,
  ];
  await fill();
  // A full store takes no function.
  await forgetScripts(admin);

  await expect(queue.enqueue([{ type: 't', queue: 'q', payload }])).rejects.toMatchObject({ kind: 'full' });
  await expect(queue.probe()).rejects.toBeInstanceOf(QueueError);
  const { outcomes } = await queue.settle([
    { ...completed, action: 'complete', result: '"done"' },
    { ...failed, action: 'fail', error: { message: 'no' } },
    { ...released, action: 'release' },
  ]);
  expect(outcomes.map((outcome) => outcome.status === 'settled' && outcome.state)).toEqual([
    'completed',
    'retrying',
    'pending',
  ]);
  expect(await queue.extend([extended], 60_000)).toMatchObject([{ status: 'extended' }]);
  expect(await queue.cancel([cancelled.id])).toMatchObject([{ status: 'done' }]);
  expect(await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 60_000 })).toMatchObject({
    tasks: [{ id: released.id }],
  });
  await expect(queue.reap('q')).resolves.toBeDefined();
  await expect(queue.prune('q')).resolves.toBeDefined();
  expect(await queue.electForChores('w', 1_000)).toBe(true);
  const another = createRedisQueue({ address: { url: redis.url } });
  await another.open();
  await another.close();

  await admin.config('SET', 'maxmemory', 0);
  expect(await queue.enqueue([{ type: 't', queue: 'q', payload }])).toMatchObject([{ status: 'accepted' }]);
});

test('over HTTP a full store is a 503 that says when to come back, and readiness says no', async () => {
  const api = await startApi(redis.url);
  await fill();
  const refused = await post(`${api.url}/v1/tasks`, {
    type: 'demo.echo',
    queue: 'q',
    payload: 'x'.repeat(20_000),
  });
  expect(refused).toMatchObject({ status: 503, body: { code: 'store-full' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  while ((await fetch(`${api.url}/health/ready`)).status !== 503);
  await admin.config('SET', 'maxmemory', 0);
  while ((await fetch(`${api.url}/health/ready`)).status !== 200);
}, 30_000);
