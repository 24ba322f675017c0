import { LIMITS } from '@app/queue';
import { describeQueue, ManualClock, newTask, uniqueQueue } from '@app/queue/testing';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import { openTestQueue } from '../support/redis.js';

describeQueue('RedisQueue', async () => {
  const clock = new ManualClock();
  const { queue, another, cleanup } = await openTestQueue({ clock, random: () => 0.5 });
  // Idempotency keys and repeated leases are forgotten by Redis' own clock.
  return { queue, clock, another, forgetsByClock: false, cleanup };
});

test('a queue forgets the totals of workers that were active longest ago, where it knows too many', async () => {
  const { queue, redis, keyPrefix, cleanup } = await openTestQueue();
  const name = uniqueQueue();
  try {
    await settleOne(queue, name, 'w');
    const others = Array.from({ length: LIMITS.workersKept - 1 }, (_, i) => [Date.now() * 2, `other-${i}`]);
    await redis.zadd(queueKey(keyPrefix, name, 'workers'), ...others.flat());
    expect(await completedBy('w')).toBe(1);
    await settleOne(queue, name, 'new');
    expect(await completedBy('w')).toBe(0);
    expect(await completedBy('new')).toBe(1);
    expect(await redis.zcard(queueKey(keyPrefix, name, 'workers'))).toBe(LIMITS.workersKept);
  } finally {
    await cleanup();
  }

  async function completedBy(worker: string) {
    return (await queue.activity(name, [worker]))[0]!.totals.completed;
  }
});

test('the leases of a queue are a skiplist once several have started together, and nothing but leases', async () => {
  const { queue, redis, keyPrefix, cleanup } = await openTestQueue();
  const name = uniqueQueue();
  const leases = queueKey(keyPrefix, name, 'leases');
  const running: string[] = [];
  const start = async (...keys: string[]) => {
    await queue.enqueue(keys.map((key) => newTask({ queue: name, key })));
    await queue.lease({ queue: name, workerId: 'w', max: keys.length, leaseMs: 10_000 });
    running.push(...keys);
    expect(await redis.zrange(leases, '0', '-1')).toEqual(running);
    return redis.object('ENCODING', leases);
  };
  try {
    expect(await start('a')).toBe('listpack');
    expect(await start(...'bcdefghi')).toBe('skiplist');
    expect(await start('j')).toBe('skiplist');
  } finally {
    await cleanup();
  }
});

async function settleOne(
  queue: Awaited<ReturnType<typeof openTestQueue>>['queue'],
  name: string,
  workerId: string,
): Promise<void> {
  await queue.enqueue([newTask({ queue: name })]);
  const { tasks } = await queue.lease({ queue: name, workerId, max: 1, leaseMs: 10_000 });
  await queue.settle(tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' })));
}
