import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { BULLMQ_CAPABILITIES, createBullmqQueue, type Queue } from '@app/queue';
import { describeQueue, ManualClock } from '@app/queue/testing';
import { Queue as StockQueue } from 'bullmq';
import { Redis } from 'ioredis';
import { removeKeys, sharedRedisPort } from '../support/redis.js';

/** BullMQ reads the clock of its process, so that is what is moved. */
let clock = new ManualClock();
const realNow = Date.now;
const address = { port: sharedRedisPort() };
let redis: Redis;

beforeAll(() => {
  Date.now = () => clock.now();
  redis = new Redis(address);
});
afterAll(async () => {
  Date.now = realNow;
  await redis.quit();
});

describeQueue(
  'BullMQ',
  async () => {
    clock = new ManualClock();
    passedTo = clock.now();
    const prefix = `test-${randomBytes(6).toString('hex')}`;
    const opened: Queue[] = [];
    const another = async () => {
      const queue = createBullmqQueue({ address, prefix, random: () => 0.5 });
      await queue.open();
      opened.push(queue);
      return { ...queue, reap: async (name: string) => (await passTime(prefix), queue.reap(name)) };
    };
    return {
      queue: await another(),
      clock,
      another,
      lapseNoticedMs: 10_000,
      keepFewEvents: (name) => keepFewEvents(name, prefix),
      async cleanup() {
        await Promise.all(opened.map((queue) => queue.close()));
        await removeKeys(redis, prefix);
      },
    };
  },
  BULLMQ_CAPABILITIES,
);

/** Locks lapse by Redis' clock: what the manual one has moved since the last time is taken off their time. */
let passedTo = 0;
async function passTime(prefix: string): Promise<void> {
  const passed = Math.max(0, clock.now() - passedTo);
  passedTo = clock.now();
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    for (const key of keys as string[]) {
      const left = await redis.pttl(key);
      if (left > 0) await redis.pexpire(key, left - passed);
    }
  }
}

async function keepFewEvents(name: string, prefix: string): Promise<number> {
  const maxLen = 200;
  const stock = new StockQueue(name, { connection: address, prefix, streams: { events: { maxLen } } });
  await stock.waitUntilReady();
  await stock.close();
  return maxLen;
}
