import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { createRedisQueue, type Queue } from '@app/queue';
import { describeQueue, ManualClock } from '@app/queue/testing';
import { startSentinelGroup, type TestGroup } from '../support/sentinel.js';

let group: TestGroup;

beforeAll(async () => {
  group = await startSentinelGroup();
}, 60_000);
afterAll(() => group?.cleanup(), 30_000);

describeQueue('RedisQueue on a Sentinel group', async () => {
  const clock = new ManualClock();
  const opened: Queue[] = [];
  // Else those who follow all queues would follow those of all tests.
  const keyPrefix = `test-${randomUUID()}`;
  const another = async () => {
    const address = { sentinels: group.sentinels };
    const queue = createRedisQueue({ address, clock, random: () => 0.5, keyPrefix });
    await queue.open();
    opened.push(queue);
    return queue;
  };
  const cleanup = async () => {
    await Promise.all(opened.map((queue) => queue.close()));
  };
  return { queue: await another(), clock, another, forgetsByClock: false, cleanup };
});
