import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countsOf, post, request, type TaskBody } from '../support/client.js';
import { batchesOf, endedAll } from '../support/load.js';
import { type AppProcess, killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;
let api: AppProcess;

beforeAll(async () => {
  redis = await ownRedis();
  api = await startApi(redis.url);
  await startWorker(redis.url, { WORKER_CONCURRENCY: '50' });
});
afterAll(async () => {
  await killLeftovers();
  await redis.cleanup();
});

test('the built API describes itself as the tested one does, though it is bundled', async () => {
  const { body } = await request(`${api.url}/openapi.json`);
  expect(body).toEqual(JSON.parse(await readFile('docs/api/openapi.json', 'utf8')));
});

test('a task posted with Prefer: wait is answered with its result', async () => {
  const { status, headers, body } = await post<TaskBody>(
    `${api.url}/v1/tasks`,
    { type: 'demo.echo', payload: { hello: 'world' } },
    { prefer: 'wait=10' },
  );
  expect(status).toBe(200);
  expect(headers.get('preference-applied')).toBe('wait=10');
  expect(body).toMatchObject({ state: 'completed', result: { hello: 'world' }, attempt: 1 });
});

test('10,000 tasks of 10 tenants and 6 priorities are all completed once, and counts agree everywhere', async () => {
  const before = await countsOf(api.url, 'default');
  const tasks = Array.from({ length: 10_000 }, (_, n) => ({
    type: 'demo.echo',
    payload: n,
    tenant: `tenant-${n % 10}`,
    priority: (n % 6) + 1,
  }));
  const ids: string[] = [];
  for (const batch of batchesOf(tasks, 1_000)) {
    const { status, body } = await post<{ items: { task: TaskBody }[] }>(`${api.url}/v1/tasks/batch`, {
      tasks: batch,
    });
    expect(status).toBe(202);
    ids.push(...body.items.map(({ task }) => task.id));
  }
  expect(new Set(ids).size).toBe(10_000);
  const done = await endedAll(api.url, ids);
  expect(
    done.every(({ state, attempt }, n) => state === 'completed' && attempt === 1 && done[n]!.result === n),
  ).toBe(true);

  const queue = (await request<QueueBody>(`${api.url}/v1/queues/default/stats`)).body;
  const completed = before.completed! + 10_000;
  expect(queue.states).toEqual({ ...before, completed });
  const ofPriorities = Object.values(queue.priorities).reduce((sum, states) => sum + states.completed!, 0);
  expect(ofPriorities).toBe(completed);
  expect(queue.types['demo.echo']!.completed).toBe(completed);
  const stats = (await request<{ states: Record<string, number> }>(`${api.url}/v1/stats`)).body;
  expect(stats.states.completed).toBe(completed);
  const listed = await countByListing('completed');
  expect(listed).toBe(completed);
}, 120_000);

test('a type that the worker announced goes to the queue of its handler', async () => {
  const { body } = await post<TaskBody & { queue: string }>(`${api.url}/v1/tasks`, {
    type: 'http.request',
    payload: { url: 'http://127.0.0.1:1/' },
  });
  expect(body.queue).toBe('http');
  const [task] = await endedAll(api.url, [body.id]);
  expect(task).toMatchObject({ state: 'failed', attempt: 1, errors: [{ code: 'blocked-address' }] });
});

test('a task that nobody here can execute says so and follows its retry policy', async () => {
  const { body } = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'nobody.knows',
    retry: { maxAttempts: 2, backoff: 'fixed', delay: 10, jitter: 'none' },
  });
  const [task] = await endedAll(api.url, [body.id]);
  expect(task).toMatchObject({ state: 'failed', attempt: 2, failureReason: 'attempts-exhausted' });
  expect(task!.errors.map(({ code }) => code)).toEqual(['no-handler', 'no-handler']);
});

test('a delayed task runs when it is due, and a running one stops when cancelled', async () => {
  const delayed = await post<TaskBody>(`${api.url}/v1/tasks`, { type: 'demo.echo', delay: '300ms' });
  expect(delayed.body.state).toBe('scheduled');
  const long = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'demo.sleep',
    payload: { ms: 60_000 },
  });
  while ((await request<TaskBody>(`${api.url}/v1/tasks/${long.body.id}`)).body.state !== 'running');
  const cancelled = await post(`${api.url}/v1/tasks/${long.body.id}/cancel`, undefined);
  expect(cancelled).toMatchObject({ status: 200, body: { state: 'running', cancelRequested: true } });
  const [first, second] = await endedAll(api.url, [delayed.body.id, long.body.id]);
  expect(first).toMatchObject({ state: 'completed' });
  expect(Date.parse(first!.startedAt!)).toBeGreaterThanOrEqual(Date.parse(delayed.body.runAt!));
  expect(second).toMatchObject({ state: 'cancelled' });
});

interface QueueBody {
  states: Record<string, number>;
  priorities: Record<string, Record<string, number>>;
  types: Record<string, Record<string, number>>;
}

async function countByListing(state: string): Promise<number> {
  const seen = new Set<string>();
  let cursor: string | null = '';
  while (cursor !== null) {
    const url: string =
      `${api.url}/v1/tasks?queue=default&state=${state}&limit=1000&cursor=${cursor}`.replace(/&cursor=$/, '');
    const { body } = await request<{ items: TaskBody[]; nextCursor: string | null }>(url);
    for (const { id } of body.items) seen.add(id);
    cursor = body.nextCursor;
  }
  return seen.size;
}
