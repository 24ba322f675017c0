import { afterEach, expect, test } from '@jest/globals';
import { countsOf, post, type TaskBody } from '../support/client.js';
import { endedAll, inParallel } from '../support/load.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { forgetScripts, ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;

afterEach(async () => {
  await killLeftovers();
  process.kill(redis.server.pid, 'SIGCONT');
  await redis.cleanup();
}, 30_000);

test.each(['always', 'everysec'] as const)(
  'Redis killed and started again with its file (fsync %s) loses nothing that was accepted',
  async (appendfsync) => {
    redis = await ownRedis({ appendfsync });
    const api = await startApi(redis.url);
    await startWorker(redis.url, { WORKER_LEASE: '5s', WORKER_CONCURRENCY: '20' });
    const accepted: string[] = [];
    let restarting: Promise<void> = Promise.resolve();
    const kills = [200, 600];

    await inParallel(
      Array.from({ length: 1_000 }, (_, n) => n),
      16,
      async (n) => {
        for (;;) {
          const { status, headers, body } = await post<TaskBody>(
            `${api.url}/v1/tasks`,
            { type: 'demo.sleep', payload: { ms: 5 } },
            { 'idempotency-key': `"${n}"` },
          );
          if (status === 202) {
            accepted.push(body.id);
            if (accepted.length === kills[0]) {
              kills.shift();
              process.kill(redis.server.pid, 'SIGKILL');
              restarting = redis.restart();
            }
            return;
          }
          expect(status).toBe(503);
          expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
          await restarting;
        }
      },
    );
    expect(kills).toEqual([]);
    const tasks = await endedAll(api.url, accepted);
    expect(tasks.filter(({ state }) => state !== 'completed')).toEqual([]);
    expect(await countsOf(api.url, 'default')).toMatchObject({ completed: 1_000, pending: 0, running: 0 });
  },
  120_000,
);

test('while Redis is frozen the API answers 503 with Retry-After, and recovers by itself', async () => {
  redis = await ownRedis();
  const api = await startApi(redis.url);
  process.kill(redis.server.pid, 'SIGSTOP');
  const answers = await Promise.all([
    post(`${api.url}/v1/tasks`, { type: 'demo.echo', id: 'while-frozen' }),
    fetch(`${api.url}/v1/tasks/default~x`),
    fetch(`${api.url}/v1/queues`),
  ]);
  for (const { status, headers } of answers) {
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  // Readiness is remembered for a moment, so that asking costs nothing.
  while ((await fetch(`${api.url}/health/ready`)).status !== 503);
  expect((await fetch(`${api.url}/health/live`)).status).toBe(200);

  process.kill(redis.server.pid, 'SIGCONT');
  for (;;) {
    const { status } = await post(`${api.url}/v1/tasks`, { type: 'demo.echo', id: 'while-frozen' });
    if (status === 202) break;
    expect(status).toBe(503);
  }
  // Posted twice, perhaps stored at the first try: one task in any case.
  expect(await countsOf(api.url, 'default')).toMatchObject({ pending: 1 });
}, 60_000);

test('scripts that Redis has forgotten are sent again, unnoticed', async () => {
  redis = await ownRedis();
  const api = await startApi(redis.url);
  await startWorker(redis.url);
  const { Redis } = await import('ioredis');
  const admin = new Redis(redis.url);
  const ids = await inParallel(
    Array.from({ length: 200 }, (_, n) => n),
    8,
    async (n) => {
      if (n % 10 === 0) await forgetScripts(admin);
      const { status, body } = await post<TaskBody>(`${api.url}/v1/tasks`, { type: 'demo.echo', payload: n });
      expect(status).toBe(202);
      return body.id;
    },
  );
  await admin.quit();
  const tasks = await endedAll(api.url, ids);
  expect(tasks.every(({ state, attempt }) => state === 'completed' && attempt === 1)).toBe(true);
}, 60_000);
