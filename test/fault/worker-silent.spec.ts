import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { post, request, type TaskBody } from '../support/client.js';
import { endedAll } from '../support/load.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';
import { until } from '../support/until.js';

let redis: Awaited<ReturnType<typeof ownRedis>>;

beforeAll(async () => {
  redis = await ownRedis();
});
afterEach(killLeftovers);
afterAll(() => redis.cleanup());

const WORKER = { WORKER_LEASE: '2s', WORKER_LABELS: 'gpu=a100' };

interface WorkerBody {
  id: string;
  labels: Record<string, string>;
  command?: string;
  running: number;
  totals: Record<string, number>;
  tasks: TaskBody[];
}

test('a killed worker is gone after its time, and has its tasks until they are given to another', async () => {
  const api = await startApi(redis.url);
  const first = await startWorker(redis.url, WORKER);
  const { body: task } = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'demo.sleep',
    payload: { ms: 3_000 },
  });
  const url = `${api.url}/v1/workers/${encodeURIComponent(await idOfRunner(api.url, task.id))}`;
  await first.stop('SIGKILL');

  const { body: dead } = await request<WorkerBody>(url);
  expect(dead).toMatchObject({ labels: { gpu: 'a100' }, running: 1, tasks: [{ id: task.id }] });
  await until(async () => (await request(url)).status === 404);
  expect((await request<TaskBody>(`${api.url}/v1/tasks/${task.id}`)).body).toMatchObject({
    state: 'running',
    workerId: dead.id,
  });

  const second = await startWorker(redis.url, WORKER);
  expect(await endedAll(api.url, [task.id])).toMatchObject([{ state: 'completed', crashes: 1 }]);
  // Under the same name it is seen again what the killed one left.
  expect((await request(url, { method: 'PUT', body: { queues: ['default'] } })).status).toBe(200);
  const { body: late } = await request<WorkerBody>(url);
  expect(late).toMatchObject({ running: 0, tasks: [], totals: { completed: 0, crashed: 1 } });
  await second.stop();
}, 60_000);

test('a worker that is told to end finishes what it runs, says goodbye, and exits in order', async () => {
  const api = await startApi(redis.url);
  const worker = await startWorker(redis.url, WORKER);
  const { body: task } = await post<TaskBody>(`${api.url}/v1/tasks`, {
    type: 'demo.sleep',
    payload: { ms: 1_500 },
  });
  const url = `${api.url}/v1/workers/${encodeURIComponent(await idOfRunner(api.url, task.id))}`;
  expect((await post<WorkerBody>(`${url}/terminate`, {})).body).toMatchObject({ command: 'terminate' });

  await worker.line(/shutdown complete/);
  expect((await request<TaskBody>(`${api.url}/v1/tasks/${task.id}`)).body).toMatchObject({
    state: 'completed',
    attempt: 1,
  });
  expect((await request(url)).status).toBe(404);
  expect(await worker.stop()).toMatchObject({ code: 0 });
}, 60_000);

async function idOfRunner(apiUrl: string, taskId: string): Promise<string> {
  let found: string | undefined;
  await until(async () => {
    const { body } = await request<{ items: WorkerBody[] }>(`${apiUrl}/v1/workers`);
    found = body.items.find(({ running }) => running > 0)?.id;
    return found !== undefined;
  });
  const { body } = await request<WorkerBody>(`${apiUrl}/v1/workers/${encodeURIComponent(found!)}`);
  expect(body.tasks.map(({ id }) => id)).toEqual([taskId]);
  return found!;
}
