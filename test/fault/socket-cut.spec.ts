import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../tools/lib/ports.mjs';
import { countsOf, post, type TaskBody } from '../support/client.js';
import { endedAll } from '../support/load.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';
import { cutSockets, openSocket, type AssignedTask } from '../support/socket.js';
import { startSocketProxy } from '../support/socket-proxy.js';
import { SocketWorker } from '../support/socket-worker.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;

beforeAll(async () => {
  redis = await ownRedis();
});
afterEach(cutSockets);
afterEach(killLeftovers);
afterAll(() => redis.cleanup());

/** Submits a thousand tasks or fewer at once; answers their ids. */
const submit = async (url: string, queue: string, count: number, part = '0') => {
  const tasks = Array.from({ length: count }, (_, n) => ({ type: 'a', queue, id: `${part}-${n}` }));
  const { status } = await post(`${url}/v1/tasks/batch`, { tasks });
  expect(status).toBe(202);
  return tasks.map(({ id }) => `${queue}~${id}`);
};

/** Workers that go on at the next address when they are cut, and how often each task was executed. */
const startWorkers = (urls: string[], queue: string, count: number, slots: number, leaseDuration = '30s') => {
  const executed = new Map<string, number>();
  const execute = async ({ id }: AssignedTask) => {
    executed.set(id, (executed.get(id) ?? 0) + 1);
    await delay(Math.random() * 30);
  };
  const workers = Array.from(
    { length: count },
    (_, n) => new SocketWorker(urls, { workerId: `w${n}`, queue, slots, leaseDuration, execute }),
  );
  const running = workers.map((worker) => worker.run());
  const stop = async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await Promise.all(running);
  };
  return { workers, executed, stop };
};

/** What every task should be that was never lost and never doubled. */
const expectOnce = (tasks: TaskBody[], executed: Map<string, number>) => {
  const odd = tasks.filter(
    ({ id, state, attempt, crashes }) =>
      state !== 'completed' || attempt !== 1 || crashes !== 0 || executed.get(id) !== 1,
  );
  expect(odd).toEqual([]);
};

test('a worker whose socket is cut goes on through another API with all ten of its leases', async () => {
  const [first, second] = await Promise.all([startApi(redis.url), startApi(redis.url)]);
  const ids = await submit(first.url, 'cut', 10);
  const terms = { workerId: 'w', queues: ['cut'] };
  const client = await openSocket(first.url);
  const { session } = (await client.ask<{ session: string }>('register', terms)).body;
  await client.ask('credit', { received: 0, free: 10 });
  const { number, items } = (await client.next<{ number: number; items: AssignedTask[] }>('assigned')).body;
  expect(items).toHaveLength(10);
  await first.stop('SIGKILL');
  await client.closed;

  const again = await openSocket(second.url);
  const { body } = await again.ask('register', { ...terms, resume: { session, received: number } });
  expect(body).toMatchObject({ session, received: number + 1 });
  const leases = items.map(({ id, leaseToken }) => ({ id, leaseToken }));
  const held = await again.ask<{ outcomes: object[] }>('heartbeat', { leases });
  expect(held.body.outcomes.filter((outcome) => 'problem' in outcome)).toEqual([]);
  await again.ask('settle', { settlements: leases.map((lease) => ({ ...lease, action: 'complete' })) });
  const tasks = await endedAll(second.url, ids);
  expect(
    tasks.every(({ state, attempt, crashes }) => state === 'completed' && attempt === 1 && crashes === 0),
  ).toBe(true);
}, 60_000);

test.each([['at once', false]])(
  'a socket cut between any two messages, which its API notices %s, loses and doubles nothing',
  async (_, isSilent) => {
    const [first, second] = await Promise.all([startApi(redis.url), startApi(redis.url)]);
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

test('200 workers that lose their API at once go on through another, and no task is lost or executed twice', async () => {
  const [first, second] = await Promise.all([startApi(redis.url), startApi(redis.url)]);
  const { workers, executed, stop } = startWorkers([first.url, second.url], 'storm', 200, 2);
  const parts = ['0', '1'].map((part) => submit(second.url, 'storm', 1_000, part));
  const ids = (await Promise.all(parts)).flat();
  while (executed.size < 500) await delay(5);
  await first.stop('SIGKILL');
  expectOnce(await endedAll(second.url, ids), executed);
  expect(workers.flatMap(({ settled }) => settled).filter(({ problem }) => problem)).toEqual([]);
  await stop();
}, 120_000);

test('sockets that are cut again and again lose nothing, and no task is executed twice', async () => {
  const apis = await Promise.all([startApi(redis.url), startApi(redis.url)]);
  // An API that has not noticed yet assigns to nowhere. Then the lease runs out, for which somebody must do the chores.
  await startWorker(redis.url, { WORKER_QUEUES: 'other' });
  const urls = apis.map(({ url }) => url);
  const { workers, executed, stop } = startWorkers(urls, 'flaky', 10, 5, '2s');
  const ids = await submit(urls[0]!, 'flaky', 300);
  let cuts = 0;
  while (executed.size < 290) {
    workers[cuts++ % workers.length]!.cut();
    await delay(5);
  }
  const tasks = await endedAll(urls[1]!, ids);
  expect(cuts).toBeGreaterThan(10);
  expect(tasks.filter(({ state }) => state !== 'completed')).toEqual([]);
  expect(ids.filter((id) => executed.get(id) !== 1)).toEqual([]);
  // Rare: one whose assignment was given back counts as never started.
  expect(tasks.filter(({ crashes }) => crashes > 0).length).toBeLessThan(30);
  await stop();
}, 120_000);

test('the ten tasks of a worker that was killed go to another once their leases have run out', async () => {
  const api = await startApi(redis.url);
  // For its chores.
  await startWorker(redis.url, { WORKER_QUEUES: 'other' });
  const ids = await submit(api.url, 'killed', 10);
  const killed = await openSocket(api.url);
  await killed.ask('register', { workerId: 'killed', queues: ['killed'], leaseDuration: '1s' });
  await killed.ask('credit', { received: 0, free: 10 });
  await killed.next('assigned');
  killed.cut();
  expect(await countsOf(api.url, 'killed')).toMatchObject({ running: 10 });

  const worker = new SocketWorker([api.url], {
    workerId: 'heir',
    queue: 'killed',
    slots: 10,
    execute: () => Promise.resolve(),
  });
  const running = worker.run();
  const tasks = await endedAll(api.url, ids);
  expect(
    tasks.every(({ state, attempt, crashes }) => state === 'completed' && attempt === 2 && crashes === 1),
  ).toBe(true);
  await worker.stop();
  await running;
}, 60_000);

test('a shutdown under load hands workers over to another API, and nothing is lost or executed twice', async () => {
  const [first, second] = await Promise.all([startApi(redis.url), startApi(redis.url)]);
  const { executed, stop } = startWorkers([first.url, second.url], 'handed', 20, 5);
  const ids = await submit(second.url, 'handed', 400);
  while (executed.size < 200) await delay(5);
  expect(await first.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  expectOnce(await endedAll(second.url, ids), executed);
  await stop();
}, 60_000);
