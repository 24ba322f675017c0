import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../tools/lib/ports.mjs';
import { countsOf } from '../support/client.js';
import { endedAll } from '../support/load.js';
import { type AppProcess, killLeftovers, startApi } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';
import { cutSockets, openSocket, type AssignedTask } from '../support/socket.js';
import { expectOnce, startWorkers, submit } from '../support/socket-crew.js';
import { startSocketProxy } from '../support/socket-proxy.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;
let first: AppProcess;
let second: AppProcess;

beforeAll(async () => {
  redis = await ownRedis();
  [first, second] = await Promise.all([startApi(redis.url), startApi(redis.url)]);
});
afterEach(cutSockets);
afterAll(async () => {
  await killLeftovers();
  await redis.cleanup();
});

test.each([
  ['at once', false],
  ['never', true],
])(
  'a socket cut between any two messages, which its API notices %s, loses and doubles nothing',
  async (_, isSilent) => {
    let messages = 1;
    for (let isIdle = false; !isIdle; messages++) {
      const queue = `${isSilent ? 'silent' : 'told'}-${messages}`;
      const ids = await submit(second.url, queue, 3);
      const proxy = await startSocketProxy(first.url, messages, isSilent);
      const { workers, executed, stop } = startWorkers([proxy.url, second.url], queue, 1, 2);
      // Where so many are never exchanged, the cut comes when there is nothing to do any more.
      const idle = endedAll(second.url, ids).then(() => delay(50));
      isIdle = await Promise.race([proxy.broken.then(() => false), idle.then(() => true)]);
      proxy.break();
      ids.push(...(await submit(second.url, queue, 5, '1')));
      expectOnce(await endedAll(second.url, ids), executed);
      expect(workers[0]!.settled.filter(({ problem }) => problem)).toEqual([]);
      await stop();
      proxy.cleanup();
    }
    // Registered and credited, two assignments and all settlements, each with its answer.
    expect(messages).toBeGreaterThan(10);
  },
  60_000,
);

test('200 workers whose API is restarted come back at once, each with the leases that it held', async () => {
  const port = await freePort();
  const api = await startApi(redis.url, {}, port);
  await Promise.all(['0', '1'].map((part) => submit(api.url, 'kept', 500, part)));
  const terms = (n: number) => ({ workerId: `w${n}`, queues: ['kept'] });
  const held = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const client = await openSocket(api.url);
      const { session } = (await client.ask<{ session: string }>('register', terms(n))).body;
      await client.ask('credit', { received: 0, free: 2 });
      const { items } = (await client.next<{ items: AssignedTask[] }>('assigned')).body;
      // For what is on its way when the API is killed, and must not be lost by that.
      client.ask('credit', { received: 1, free: 1 }).catch(() => undefined);
      return { session, leases: items.map(({ id, leaseToken }) => ({ id, leaseToken })) };
    }),
  );
  await api.stop('SIGKILL');
  const again = await startApi(redis.url, {}, port);
  const outcomes = await Promise.all(
    held.map(async ({ session, leases }, n) => {
      const client = await openSocket(again.url);
      // It says that it has not got what came last.
      await client.ask('register', { ...terms(n), resume: { session, received: 1 } });
      const beat = (await client.ask<{ outcomes: object[] }>('heartbeat', { leases })).body.outcomes;
      const settlements = leases.map((lease) => ({ ...lease, action: 'complete' }));
      const ends = (await client.ask<{ outcomes: object[] }>('settle', { settlements })).body.outcomes;
      return [...beat, ...ends];
    }),
  );
  expect(outcomes.flat().filter((outcome) => 'problem' in outcome)).toEqual([]);
  expect(new Set(held.flatMap(({ leases }) => leases.map(({ id }) => id))).size).toBe(400);
  expect(await countsOf(again.url, 'kept')).toMatchObject({ completed: 400, pending: 600, running: 0 });
  const ended = await endedAll(
    again.url,
    held.flatMap(({ leases }) => leases.map(({ id }) => id)),
  );
  expect(ended.filter(({ attempt, crashes }) => attempt !== 1 || crashes !== 0)).toEqual([]);
}, 60_000);
