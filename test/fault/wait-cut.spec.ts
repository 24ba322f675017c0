import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createRedisQueue, type Queue } from '@app/queue';
import { Redis } from 'ioredis';
import { type Proxy, startProxy } from '../support/proxy.js';
import { forgetScripts, ownRedis } from '../support/redis.js';
import { until } from '../support/until.js';

/*
 * A wait for work has a lease behind it, which Redis executes when work comes. What if nobody hears of it?
 */

const LONG_MS = 30_000;
const REQUEST = { queue: 'q', workerId: 'w', max: 5, leaseMs: 60_000 };

let server: Awaited<ReturnType<typeof ownRedis>>;
let redis: Redis;
let proxy: Proxy;
let queue: Queue;
let submitter: Queue;

beforeEach(async () => {
  server = await ownRedis();
  redis = new Redis(server.url);
  proxy = await startProxy(server.server.port);
  queue = createRedisQueue({ address: { url: proxy.url.replace('http:', 'redis:') } });
  submitter = createRedisQueue({ address: { url: server.url } });
  await Promise.all([queue.open(), submitter.open()]);
  // Teaches Redis the script: what is sent along cannot be.
  await queue.lease(REQUEST);
});
afterEach(async () => {
  await Promise.allSettled([queue?.close(), submitter?.close(), redis?.quit()]);
  await proxy?.cleanup();
  await server?.cleanup();
});

const submit = () => submitter.enqueue([{ type: 't', queue: 'q', key: 'a' }]);
const isParked = () => until(async () => /blocked_clients:1/.test(await redis.info('clients')));

const wakeConnection = async () =>
  /^id=(\d+) .*name=fairlane-wake/m.exec(String(await redis.client('LIST')))?.[1];

test('a lease whose answer was lost with the connection is asked for again, and answers with what it took', async () => {
  const lost = proxy.loseAnswer(/blpop/i);
  const waiting = queue.waitAndLease(REQUEST, LONG_MS);
  await isParked();
  await submit();
  await lost;
  const { tasks } = await waiting;
  expect(tasks.map(({ id, attempt, crashes }) => [id, attempt, crashes])).toEqual([['q~a', 1, 0]]);
  expect((await submitter.overview(['q']))[0]?.states).toMatchObject({ pending: 0, running: 1 });
});

test('a lease whose connection breaks while it waits takes what is there then', async () => {
  const waiting = queue.waitAndLease(REQUEST, LONG_MS);
  await isParked();
  proxy.cut();
  expect((await waiting).tasks).toEqual([]);
  const again = queue.waitAndLease(REQUEST, LONG_MS);
  await submit();
  expect((await again).tasks.map(({ id }) => id)).toEqual(['q~a']);
});

test('a lease whose script Redis has forgotten while it waited is taken all the same', async () => {
  const waiting = queue.waitAndLease(REQUEST, LONG_MS);
  await isParked();
  await forgetScripts(redis);
  await submit();
  expect((await waiting).tasks.map(({ id }) => id)).toEqual(['q~a']);
});

test('a wait that Redis does not let go of when it is told to costs its connection, and no more', async () => {
  const controller = new AbortController();
  const waiting = queue.waitAndLease(REQUEST, LONG_MS, controller.signal);
  await isParked();
  const before = await wakeConnection();
  await redis.call('ACL', 'SETUSER', 'default', '-client|unblock');
  controller.abort();
  expect((await waiting).tasks).toEqual([]);
  expect(await wakeConnection()).not.toBe(before);
  await submit();
  expect((await queue.waitAndLease(REQUEST, LONG_MS)).tasks).toHaveLength(1);
});

test('Redis leases what comes although the worker hears nothing any more, and the repeat gets it', async () => {
  const waiting = queue.waitAndLease(REQUEST, LONG_MS);
  await isParked();
  proxy.mute();
  await submit();
  await until(async () => (await submitter.overview(['q']))[0]?.states.running === 1);
  proxy.cut();
  expect((await waiting).tasks.map(({ id, attempt }) => [id, attempt])).toEqual([['q~a', 1]]);
});
