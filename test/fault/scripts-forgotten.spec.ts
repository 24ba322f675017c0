import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedisQueue, type Queue } from '@app/queue';
import { Redis } from 'ioredis';
import { functionCall, functionLibrary } from '../../libs/queue/src/redis/functions.js';
import * as scripts from '../../libs/queue/src/redis/scripts.generated.js';
import { commandCalls, forgetScripts, ownRedis } from '../support/redis.js';

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
  await forgetScripts(redis);
  await redis.config('RESETSTAT');
  const leases = await Promise.all(leaseAll());
  expect(new Set(leases.map(({ tasks }) => tasks[0]!.id)).size).toBe(CALLS);
  expect(await commandCalls(redis, 'function|load')).toBe(1);
  expect(await commandCalls(redis, 'fcall')).toBe(2 * CALLS);
  expect(await commandCalls(redis, 'evalsha')).toBe(0);
  expect((await queue.overview(['q']))[0]?.states).toMatchObject({ pending: CALLS, running: CALLS });
});

test('where it will not learn all calls hear why, and the next ones teach it anew', async () => {
  await forgetScripts(redis);
  await redis.call('ACL', 'SETUSER', 'default', '-function|load', '-script|load');
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
    for (let n = 0; n < 20; n++) await forgetScripts(redis);
  })();
  const leases = await Promise.all([...leaseAll(), ...leaseAll()]);
  await forgetting;
  expect(new Set(leases.map(({ tasks }) => tasks[0]!.id)).size).toBe(2 * CALLS);
});

test('where functions are refused it is taught the script itself, and calls that by its digest', async () => {
  for (const refused of ['-function|load', '-fcall']) {
    const another = createRedisQueue({ address: { url: server.url } });
    await forgetScripts(redis);
    await redis.call('ACL', 'SETUSER', 'default', refused);
    await redis.config('RESETSTAT');
    const leases = await Promise.all(
      Array.from({ length: CALLS / 2 }, (_, n) =>
        another.lease({ queue: 'q', workerId: `${refused}${n}`, max: 1, leaseMs: 60_000 }),
      ),
    );
    expect(new Set(leases.map(({ tasks }) => tasks[0]!.id)).size).toBe(CALLS / 2);
    expect(await commandCalls(redis, 'script|load')).toBe(1);
    expect(await commandCalls(redis, 'evalsha')).toBe(CALLS / 2);
    await redis.call('ACL', 'SETUSER', 'default', '+@all');
    await another.close();
  }
});

test('every script is a function too', async () => {
  await redis.function('FLUSH');
  for (const script of Object.values(scripts)) await redis.function('LOAD', functionLibrary(script, 0));
  expect(await redis.function('LIST')).toHaveLength(Object.keys(scripts).length);
});

test('of versions of a script that others taught it the two latest are kept beside ours', async () => {
  const version = (n: number) => ({ ...scripts.leaseScript, sha1: `${n}`.repeat(40) });
  await forgetScripts(redis);
  // Theirs is a clock that is ahead of ours.
  const later = Date.now() + 60_000;
  for (const n of [2, 4, 1, 3]) await redis.function('LOAD', functionLibrary(version(n), later + n));
  await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 60_000 });
  const listed = (await redis.function('LIST')) as string[][];
  const names = listed.map((fields) => fields[1]!).sort();
  expect(names).toEqual([
    `${functionCall(version(3))}_${later + 3}`,
    `${functionCall(version(4))}_${later + 4}`,
    expect.stringContaining(functionCall(scripts.leaseScript)),
  ]);
});
