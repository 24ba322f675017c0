import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { post, request, type TaskBody } from '../support/client.js';
import { type AppProcess, killLeftovers, startApi } from '../support/processes.js';
import { type Proxy, startProxy } from '../support/proxy.js';
import { ownRedis } from '../support/redis.js';

/*
 * The API has acted and answered, and nobody ever hears of it: the client sends the same request again, as it must.
 */

let redis: Awaited<ReturnType<typeof ownRedis>>;
let api: AppProcess;
let proxy: Proxy;
let queue: string;
let queues = 0;

beforeAll(async () => {
  redis = await ownRedis();
  api = await startApi(redis.url);
});
beforeEach(async () => {
  queue = `q${queues++}`;
  proxy = await startProxy(Number(new URL(api.url).port));
  await post(`${api.url}/v1/tasks/batch`, {
    tasks: ['1', '2', '3'].map((id) => ({ type: 'a', queue, id })),
  });
});
afterEach(() => proxy.cleanup());
afterAll(async () => {
  await killLeftovers();
  await redis.cleanup();
});

test('a lease repeated with its request id answers with the tasks that it took', async () => {
  const terms = { workerId: 'w', max: 2, requestId: 'Yb3kQ9x0T1uVw2Zp4RsA' };
  const { body } = await twice<Leased>(`/v1/queues/${queue}/lease`, terms);
  expect(body.items.map(({ id, attempt }) => [id, attempt])).toEqual([
    [`${queue}~1`, 1],
    [`${queue}~2`, 1],
  ]);
  expect((await find('3')).state).toBe('pending');
  expect((await post(`${api.url}/v1/queues/${queue}/lease`, terms)).body).toEqual(body);
});

test('a lease repeated without one takes other tasks, and the first ones wait for their lease to run out', async () => {
  const { body } = await twice<Leased>(`/v1/queues/${queue}/lease`, { workerId: 'w', max: 2 });
  expect(body.items.map(({ id }) => id)).toEqual([`${queue}~3`]);
  expect((await find('1')).state).toBe('running');
});

test.each([
  ['complete', { result: { n: 1 } }, { state: 'completed', result: { n: 1 }, failures: 0 }],
  ['fail', { error: { message: 'no' }, retryIn: '1h' }, { state: 'retrying', failures: 1 }],
  ['release', {}, { state: 'pending', attempt: 0, failures: 0 }],
])('%s, repeated, answers as it would have the first time', async (action, report, settled) => {
  const [task] = await lease(1);
  const path = `/v1/tasks/${task!.id}/${action}`;
  const { status, body } = await twice(path, { leaseToken: task!.leaseToken, ...report }, () =>
    expectTask('1', settled),
  );
  expect([status, body]).toEqual([200, { id: task!.id, state: settled.state }]);
  await expectTask('1', settled);
});

test('a heartbeat, repeated, extends the lease again', async () => {
  const [task] = await lease(1);
  const beat = { leaseToken: task!.leaseToken, extend: '1h', progress: 1 };
  const { status, body } = await twice(`/v1/tasks/${task!.id}/heartbeat`, beat, () =>
    expectTask('1', { state: 'running', progress: 1 }),
  );
  expect([status, body.cancelRequested]).toEqual([200, false]);
});

test('settlements with a next lease, repeated, answer with the same outcomes and the same tasks', async () => {
  const [first, second] = await lease(2);
  const settlements = [
    { id: first!.id, leaseToken: first!.leaseToken, action: 'complete' },
    { id: second!.id, leaseToken: second!.leaseToken, action: 'fail', error: { message: 'no' }, retryIn: 0 },
  ];
  // Of both, only one is free when the request first arrives.
  const next = { queue, workerId: 'w', max: 1, requestId: 'p0LmN8bVcX2zAsDfGhJk' };
  const { body } = await twice<Settled>('/v1/leases/settle', { settlements, next });
  expect(body.outcomes).toEqual([
    { id: first!.id, state: 'completed' },
    { id: second!.id, state: 'pending' },
  ]);
  expect(body.lease.items.map(({ id, attempt }) => [id, attempt])).toEqual([[`${queue}~3`, 1]]);
  await expectTask('2', { state: 'pending', failures: 1 });
});

test('a submission repeated with its idempotency key makes one task', async () => {
  const key = { 'idempotency-key': `"${queue}"` };
  const { body, headers } = await twice('/v1/tasks', { type: 'a', queue }, undefined, key);
  expect(headers.get('idempotent-replayed')).toBe('true');
  const { items } = (await request<Leased>(`${api.url}/v1/tasks?queue=${queue}`)).body;
  expect(items.filter(({ id }) => id === body.id)).toHaveLength(1);
  expect(items).toHaveLength(4);
});

interface Leased {
  items: { id: string; attempt: number; leaseToken: string }[];
}

interface Settled {
  outcomes: object[];
  lease: Leased;
}

/** Sends a request whose answer gets lost, and then the same again; `between` the server has acted once. */
async function twice<Body = Record<string, unknown>>(
  path: string,
  body: object,
  between?: () => Promise<void>,
  headers?: Record<string, string>,
) {
  const lost = proxy.loseAnswer(/^POST /);
  await expect(post(proxy.url + path, body, headers)).rejects.toThrow('fetch failed');
  await lost;
  await between?.();
  return post<Body>(proxy.url + path, body, headers);
}

async function lease(max: number) {
  return (await post<Leased>(`${api.url}/v1/queues/${queue}/lease`, { workerId: 'w', max })).body.items;
}

async function find(key: string): Promise<TaskBody> {
  return (await request<TaskBody>(`${api.url}/v1/tasks/${queue}~${key}`)).body;
}

async function expectTask(key: string, facts: object): Promise<void> {
  expect(await find(key)).toMatchObject(facts);
}
