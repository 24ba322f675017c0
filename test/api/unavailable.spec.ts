import { QueueError, type ErrorCode, type Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { createLogger } from '@app/runtime';
import { closeApis, startApi } from './support.js';

afterEach(closeApis);

/** A queue all of whose calls fail in one way, until it is mended. */
const brokenQueue = (error: () => unknown) => {
  let isBroken = true;
  const queue = new Proxy(new MemoryQueue(), {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      // What a backend has is known without its store.
      if (typeof member !== 'function' || name === 'capabilities') return member;
      return async (...args: unknown[]) => {
        if (isBroken) throw error();
        return Reflect.apply(member, target, args) as unknown;
      };
    },
  }) as unknown as Queue;
  return { queue, mend: () => void (isBroken = false) };
};

const unavailable = () =>
  new QueueError('store-unavailable', { cause: new Error('connect ECONNREFUSED 10.1.2.3:6379') });

const requests: readonly (readonly [string, string, object?])[] = [
  ['POST', '/v1/tasks', { type: 'a' }],
  ['POST', '/v1/tasks/batch', { tasks: [{ type: 'a' }] }],
  ['POST', '/v1/tasks/batch', { tasks: [{ type: 'a' }], atomic: false }],
  ['GET', '/v1/tasks/emails~x'],
  ['GET', '/v1/tasks/emails~x?wait=5'],
  ['GET', '/v1/tasks/emails~x/logs'],
  ['GET', '/v1/tasks'],
  ['GET', '/v1/tasks?queue=emails'],
  ['POST', '/v1/tasks/emails~x/cancel'],
  ['POST', '/v1/tasks/emails~x/retry'],
  ['GET', '/v1/queues'],
  ['GET', '/v1/queues/emails'],
  ['PATCH', '/v1/tasks/emails~x', { priority: 'high' }],
  ['POST', '/v1/tasks/emails~x/promote'],
  ['DELETE', '/v1/tasks/emails~x'],
  ['GET', '/v1/queues/emails/stats'],
  ['PUT', '/v1/queues/emails', { concurrency: 1 }],
  ['DELETE', '/v1/queues/emails'],
  ['POST', '/v1/queues/emails/pause'],
  ['POST', '/v1/queues/emails/resume'],
  ['POST', '/v1/queues/emails/drain'],
  ['POST', '/v1/queues/emails/purge', { state: 'waiting' }],
  ['GET', '/v1/queues/emails/tenants'],
  ['GET', '/v1/queues/emails/tenants/acme'],
  ['PUT', '/v1/queues/emails/tenants/acme', { weight: 2 }],
  ['DELETE', '/v1/queues/emails/tenants/acme'],
  ['POST', '/v1/queues/emails/tenants/acme/pause'],
  ['POST', '/v1/queues/emails/tenants/acme/resume'],
  ['GET', '/v1/queues/emails/dead'],
  ['POST', '/v1/queues/emails/dead/retry'],
  ['POST', '/v1/queues/emails/dead/purge'],
  ['GET', '/v1/stats'],
];

const send = async (url: string, [method, path, body]: (typeof requests)[number]) => {
  const headers: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
  const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
};

test.each(requests)('while the store is away %s %s answers 503 and when to come back', async (...wanted) => {
  const { queue, mend } = brokenQueue(unavailable);
  const { url } = await startApi(queue);
  const { status, headers, body } = await send(url, wanted as never);
  expect(status).toBe(503);
  expect(['1', '2', '3']).toContain(headers.get('retry-after'));
  expect(body).toMatchObject({ code: 'store-unavailable', status: 503 });
  expect(JSON.stringify(body)).not.toMatch(/ECONN|10\.1|Nothing was stored/);
  mend();
  expect((await send(url, wanted as never)).status).toBeLessThan(500);
});

test('a full store is 503 with a problem of its own', async () => {
  const { url } = await startApi(brokenQueue(() => new QueueError('store-full')).queue);
  const { status, headers, body } = await send(url, requests[0]!);
  expect([status, body['code']]).toEqual([503, 'store-full']);
  expect(headers.get('retry-after')).not.toBeNull();
});

test('while the store is away the process is alive, not ready, and has metrics', async () => {
  const { queue, mend } = brokenQueue(unavailable);
  const { http } = await startApi(queue);
  await http.get('/health/live').expect(200);
  await http
    .get('/metrics')
    .expect(200)
    .expect(/fairlane_scrape_errors_total 2/);
  const { body } = await http.get('/health/ready').expect(503).expect('retry-after', /\d/);
  expect(body).toEqual({
    status: 'unavailable',
    checks: { store: { status: 'unavailable', durationMs: expect.any(Number), detail: 'store-unavailable' } },
  });
  mend();
  await new Promise((resolve) => setTimeout(resolve, 250));
  await http.get('/health/ready').expect(200);
});

test('readiness tells that the store is full', async () => {
  const { http } = await startApi(brokenQueue(() => new QueueError('store-full')).queue);
  const { body } = await http.get('/health/ready').expect(503);
  expect(body.checks.store.detail).toBe('store-full');
});

test('a store that never answers makes the process not ready within two seconds or so', async () => {
  const queue = Object.assign(new MemoryQueue(), { probe: () => new Promise<never>(() => undefined) });
  const { http } = await startApi(queue as Queue);
  await http.get('/health/ready').expect(503);
});

test('a streamed batch tells of each line that the store was away', async () => {
  const { http } = await startApi(brokenQueue(unavailable).queue);
  const { text } = await http
    .post('/v1/tasks/batch')
    .type('application/x-ndjson')
    .send('{"type":"a"}\n{"type":"b"}')
    .buffer();
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { line: 1, problem: { code: 'store-unavailable' } },
    { line: 2, problem: { status: 503 } },
  ]);
});

test('a task accepted before the store goes away is answered 202, although its end cannot be awaited', async () => {
  const queue = Object.assign(new MemoryQueue(), { waitForEnd: () => Promise.reject(unavailable()) });
  const { http } = await startApi(queue as Queue);
  const { body } = await http.post('/v1/tasks').set('Prefer', 'wait=5').send({ type: 'a' }).expect(202);
  expect(body.state).toBe('pending');
});

test.each<[string, () => unknown]>([
  ['a defect', () => new TypeError('x is not a function at /srv/secret.ts:1')],
  ['something that is no error', () => 'secret'],
  [
    'an internal error of the queue',
    () => new QueueError('internal' satisfies ErrorCode, { message: 'ERR secret' }),
  ],
])('%s is answered 500 without a word about it, and logged with the id of the request', async (_, error) => {
  const lines: string[] = [];
  const log = createLogger({
    name: 'api',
    level: 'error',
    destination: { write: (line) => void lines.push(line) },
  });
  const { url } = await startApi(brokenQueue(error).queue, {}, { log });
  for (const wanted of requests) {
    const { status, body } = await send(url, wanted);
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toMatch(/secret|TypeError/);
    expect(lines.some((line) => line.includes(body['requestId'] as string))).toBe(true);
  }
});
