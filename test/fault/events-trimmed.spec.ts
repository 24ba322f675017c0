import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openTestQueue, type TestQueue } from '../support/redis.js';

let underTest: TestQueue;

beforeEach(async () => {
  underTest = await openTestQueue();
});
afterEach(() => underTest.cleanup());

test('a wait hears of an end whose event was trimmed before it could be read', async () => {
  const { queue, redis, keyPrefix } = underTest;
  const [outcome] = await queue.enqueue([{ type: 't', queue: 'q', key: 'k' }]);
  expect(outcome!.status).toBe('accepted');
  const waiting = queue.waitForEnd('q~k', 60_000);
  // Let it wait in Redis, then end the task and flood the stream in one step, as if this process had stood still.
  while (!String(await redis.client('LIST')).includes('cmd=xread'));
  await redis.eval(
    `redis.call('HSET', KEYS[1], 'state', 'completed', 'finished', '1')
     for i = 1, 3000 do redis.call('XADD', KEYS[2], 'MAXLEN', 1000, '*', 't', 'pending other 0') end`,
    2,
    `${keyPrefix}:{q}:state:k`,
    `${keyPrefix}:{q}:events`,
  );
  expect(await waiting).toMatchObject({ state: 'completed' });
});
