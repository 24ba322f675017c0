import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { countsOf } from '../support/client.js';
import { endedAll } from '../support/load.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';
import { cutSockets, openSocket, type AssignedTask } from '../support/socket.js';
import { expectOnce, startWorkers, submit } from '../support/socket-crew.js';
import { SocketWorker } from '../support/socket-worker.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;

beforeAll(async () => {
  redis = await ownRedis();
});
afterEach(cutSockets);
afterEach(killLeftovers);
afterAll(() => redis.cleanup());

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
  const urls = apis.map(({ url }) => url);
  const { workers, executed, stop } = startWorkers(urls, 'flaky', 10, 5);
  const ids = await submit(urls[0]!, 'flaky', 300);
  let cuts = 0;
  while (executed.size < 290) {
    workers[cuts++ % workers.length]!.cut();
    await delay(5);
  }
  expectOnce(await endedAll(urls[1]!, ids), executed);
  expect(cuts).toBeGreaterThan(10);
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
