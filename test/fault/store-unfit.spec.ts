import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createRedisQueue } from '@app/queue';
import { Redis } from 'ioredis';
import { killLeftovers, startApi } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;
let admin: Redis;

beforeAll(async () => {
  redis = await ownRedis();
  admin = new Redis(redis.url);
});
afterEach(killLeftovers);
afterAll(async () => {
  await admin.quit();
  await redis.cleanup();
});

test('a process does not start on a store that may evict tasks', async () => {
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const unsafe = createRedisQueue({ address: { url: redis.url } });
  await expect(unsafe.open()).rejects.toMatchObject({
    code: 'store-unsuitable',
    message: expect.stringMatching(/noeviction/),
  });
  await expect(startApi(redis.url)).rejects.toThrow(/ended with 1:[^]*noeviction/);
  const warned: string[] = [];
  const logger = {
    info: () => undefined,
    error: () => undefined,
    warn: (line: string) => void warned.push(line),
  };
  const allowed = createRedisQueue({ address: { url: redis.url }, allowUnsafe: true, logger });
  await allowed.open();
  await allowed.close();
  expect(warned.join()).toMatch(/noeviction/);
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
}, 30_000);

test.each([
  ['newer than it', '99', /upgrade this process/],
  ['older than it can read', '1', /upgrade through a version between/],
])('a process does not touch data that is %s', async (_, version, message) => {
  await admin.set('fairlane:version', version);
  const queue = createRedisQueue({ address: { url: redis.url } });
  await expect(queue.open()).rejects.toMatchObject({
    code: 'store-unsuitable',
    message: expect.stringMatching(message),
  });
  await admin.del('fairlane:version');
});

test('a database that the server does not have is not taken for another one', async () => {
  const elsewhere = createRedisQueue({ address: { url: `${redis.url}/99` } });
  await expect(elsewhere.open()).rejects.toMatchObject({
    code: 'store-unsuitable',
    message: expect.stringMatching(/database 99/),
  });
  const second = createRedisQueue({ address: { url: `${redis.url}/2` } });
  await second.open();
  await second.enqueue([{ type: 't', queue: 'q' }]);
  await second.close();
  await admin.select(2);
  expect(await admin.zscore('fairlane:queues', 'q')).toBe('0');
  await admin.select(0);
  expect(await admin.zscore('fairlane:queues', 'q')).toBeNull();
});

test('wrong credentials are said at once, and right ones may stand beside the URL', async () => {
  await admin.config('SET', 'requirepass', 'sesame');
  const wrong = createRedisQueue({ address: { url: redis.url, password: 'wrong' } });
  await expect(wrong.open()).rejects.toMatchObject({
    code: 'store-unsuitable',
    message: expect.stringMatching(/WRONGPASS/),
  });
  const right = createRedisQueue({ address: { url: redis.url, password: 'sesame' } });
  await right.open();
  await right.close();
  await admin.config('SET', 'requirepass', '');
});
