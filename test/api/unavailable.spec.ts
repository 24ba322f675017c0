import { QueueError, type ErrorCode, type Queue } from '@app/queue';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { createLogger } from '@app/runtime';
import { brokenQueue, closeApis, startApi } from './support.js';

afterEach(closeApis);

const unavailable = () =>
  new QueueError('store-unavailable', { cause: new Error('connect ECONNREFUSED 10.1.2.3:6379') });

test('while the store is away requests are answered 503 without a word about why, and then as ever', async () => {
  const { queue, mend } = brokenQueue(unavailable);
  const { http } = await startApi(queue);
  const { text } = await http.get('/v1/tasks/emails~x').expect(503);
  expect(text).not.toMatch(/ECONN|10\.1/);
  mend();
  await http.get('/v1/tasks/emails~x').expect(404);
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
  const { http } = await startApi(brokenQueue(error).queue, {}, { log });
  for (const sent of [http.post('/v1/tasks').send({ type: 'a' }), http.get('/v1/tasks/emails~x?wait=5')]) {
    const { body } = await sent.expect(500);
    expect(JSON.stringify(body)).not.toMatch(/secret|TypeError/);
    expect(lines.some((line) => line.includes(body.requestId))).toBe(true);
  }
});
