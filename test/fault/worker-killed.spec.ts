import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { countsOf, post, request, type TaskBody } from '../support/client.js';
import { batchesOf, endedAll } from '../support/load.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;

beforeAll(async () => {
  redis = await ownRedis();
});
afterEach(killLeftovers);
afterAll(() => redis.cleanup());

const worker = { WORKER_LEASE: '2s', WORKER_CONCURRENCY: '50' };

test('every task of a killed worker is completed by another, and each is settled once', async () => {
  const api = await startApi(redis.url);
  const first = await startWorker(redis.url, worker);
  const tasks = Array.from({ length: 1_000 }, (_, n) => ({
    type: 'demo.sleep',
    payload: { ms: 20 },
    id: `k-${n}`,
  }));
  for (const batch of batchesOf(tasks, 500)) await post(`${api.url}/v1/tasks/batch`, { tasks: batch });

  await atLeast(100, async () => (await countsOf(api.url, 'default')).completed!);
  await first.stop('SIGKILL');
  const counts = await countsOf(api.url, 'default');
  expect(counts.completed! + counts.running! + counts.pending!).toBe(1_000);
  expect(counts.running).toBeGreaterThan(0);

  await startWorker(redis.url, worker);
  const done = await endedAll(
    api.url,
    tasks.map(({ id }) => `default~${id}`),
  );
  expect(done.filter(({ state }) => state !== 'completed')).toEqual([]);
  // Only what the first worker held was started twice, and that shows as a crash, not as a failure.
  const crashed = done.filter(({ crashes }) => crashes > 0);
  expect(crashed.length).toBe(counts.running);
  expect(done.every(({ attempt, crashes }) => attempt === 1 + crashes)).toBe(true);
  expect(await countsOf(api.url, 'default')).toMatchObject({ completed: 1_000, pending: 0, running: 0 });
  expect(await minuteSum(api.url, 'completed')).toBe(1_000);
}, 120_000);

test('a frozen worker whose task another one finished gets its late settlement refused', async () => {
  const api = await startApi(redis.url);
  const frozen = await startWorker(redis.url, worker);
  const { body } = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'demo.sleep',
    payload: { ms: 1_500 },
  });
  await stateIs(api.url, body.id, 'running');
  frozen.signal('SIGSTOP');

  await startWorker(redis.url, worker);
  const [byOther] = await endedAll(api.url, [body.id]);
  expect(byOther).toMatchObject({
    state: 'completed',
    attempt: 2,
    crashes: 1,
    errors: [{ code: 'lease-lost' }],
  });

  frozen.signal('SIGCONT');
  await frozen.line(/lease.*lost|lost.*lease/i);
  const metrics = await (await fetch(`${frozen.url}/metrics`)).text();
  expect(metrics).toMatch(/fairlane_worker_attempts_total\{[^}]*outcome="lease_lost"[^}]*\} 1/);
  expect((await request(`${api.url}/v1/tasks/${body.id}`)).body).toEqual(byOther);
}, 60_000);

test('a worker told to stop finishes what it runs and gives back the rest, uncounted', async () => {
  const api = await startApi(redis.url);
  const stopping = await startWorker(redis.url, {
    ...worker,
    WORKER_CONCURRENCY: '2',
    WORKER_DRAIN_TIMEOUT: '1s',
  });
  const short = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'demo.sleep',
    payload: { ms: 300 },
  });
  const long = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'demo.sleep',
    payload: { ms: 30_000 },
  });
  await stateIs(api.url, short.body.id, 'running');
  await stateIs(api.url, long.body.id, 'running');

  expect(await stopping.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  expect((await request(`${api.url}/v1/tasks/${short.body.id}`)).body).toMatchObject({ state: 'completed' });
  expect((await request(`${api.url}/v1/tasks/${long.body.id}`)).body).toMatchObject({
    state: 'pending',
    attempt: 0,
    failures: 0,
    crashes: 0,
  });
}, 60_000);

/** Polls until the number is reached; for counts, of which nobody can be told. */
async function atLeast(wanted: number, read: () => Promise<number>): Promise<void> {
  while ((await read()) < wanted);
}

async function stateIs(apiUrl: string, id: string, state: string): Promise<void> {
  while ((await request<TaskBody>(`${apiUrl}/v1/tasks/${id}`)).body.state !== state);
}

async function minuteSum(apiUrl: string, event: string): Promise<number> {
  const { body } = await request<{ minutes: Record<string, number>[] }>(`${apiUrl}/v1/queues/default/stats`);
  return body.minutes.reduce((sum, minute) => sum + minute[event]!, 0);
}
