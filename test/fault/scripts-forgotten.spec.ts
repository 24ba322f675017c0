import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedisQueue, type Queue } from '@app/queue';
import { Redis } from 'ioredis';
import { commandCalls, ownRedis } from '../support/redis.js';

/*
 * Redis forgets its scripts when it restarts, and when somebody tells it to, under calls that are on their way.
 */

const CALLS = 200;

let server: Awaited<ReturnType<typeof ownRedis>>;
let queue: Queue;
let redis: Redis;

beforeEach(async () => {
  server = await ownRedis();
  redis = new Redis(server.url);
  queue = createRedisQueue({ address: { url: server.url } });
  await queue.open();
  await queue.enqueue(Array.from({ length: 2 * CALLS }, () => ({ type: 't', queue: 'q' })));
});
afterEach(async () => {
  await queue?.close();
  await redis?.quit();
  await server?.cleanup();
});

/** Each is a call of its own. */
function leaseAll() {
  return Array.from({ length: CALLS }, (_, n) =>
    queue.lease({ queue: 'q', workerId: `w${n}`, max: 1, leaseMs: 60_000 }),
  );
}

test('it is taught a script once, however many calls need it, and each of them counts once', async () => {
  await redis.script('FLUSH');
  await redis.config('RESETSTAT');
  const leases = await Promise.all(leaseAll());
  expect(new Set(leases.map(({ tasks }) => tasks[0]!.id)).size).toBe(CALLS);
  expect(await commandCalls(redis, 'script|load')).toBe(1);
  expect(await commandCalls(redis, 'eval')).toBe(0);
  expect(await commandCalls(redis, 'evalsha')).toBe(2 * CALLS);
  expect((await queue.overview(['q']))[0]?.states).toMatchObject({ pending: CALLS, running: CALLS });
});

test('where it will not learn all calls hear why, and the next ones teach it anew', async () => {
  await redis.script('FLUSH');
  await redis.call('ACL', 'SETUSER', 'default', '-script|load');
  await redis.config('RESETSTAT');
  const outcomes = await Promise.allSettled(leaseAll());
  const codes = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code);
  expect(new Set(codes)).toEqual(new Set(['store-unsuitable']));
  await redis.call('ACL', 'SETUSER', 'default', '+@all');
  await Promise.all(leaseAll());
  expect(await commandCalls(redis, 'script|load')).toBe(1);
  expect((await queue.overview(['q']))[0]?.states).toMatchObject({ running: CALLS });
});

test('what it forgets again and again under a load is done once all the same', async () => {
  const forgetting = (async () => {
    for (let n = 0; n < 20; n++) await redis.script('FLUSH');
  })();
  const leases = await Promise.all([...leaseAll(), ...leaseAll()]);
  await forgetting;
  expect(new Set(leases.map(({ tasks }) => tasks[0]!.id)).size).toBe(2 * CALLS);
});
