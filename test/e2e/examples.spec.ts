import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createRedisQueue } from '@app/queue';
import { Redis } from 'ioredis';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import { ended, post, request, type TaskBody } from '../support/client.js';
import {
  buildExamples,
  type Examples,
  isThere,
  type Kind,
  type Language,
  LANGUAGES,
} from '../support/examples.js';
import { type AppProcess, killLeftovers, startApi } from '../support/processes.js';
import { type Proxy, startProxy } from '../support/proxy.js';
import { ownRedis } from '../support/redis.js';

const API_KEY = 'a-key-for-the-examples';
const headers = { authorization: `Bearer ${API_KEY}` };

let examples: Examples;
let redis: Awaited<ReturnType<typeof ownRedis>>;
let api: AppProcess;

beforeAll(async () => {
  [examples, redis] = await Promise.all([buildExamples(), ownRedis()]);
  api = await startApi(redis.url, { FAIRLANE_API_KEYS: API_KEY });
}, 300_000);
afterEach(closeAll);
afterAll(async () => {
  await killLeftovers();
  await redis?.cleanup();
  examples?.cleanup();
});

const languages = LANGUAGES.filter(isThere);
const kinds: Kind[] = [...languages, 'socket'];
// eslint-disable-next-line jest/no-disabled-tests
if (!isThere('go')) test.skip('Go is not installed here: its examples were not tried', () => undefined);

/** A test of the programs over HTTP in every language, all at the same time. */
function inEach(name: string, run: (language: Language) => Promise<void>): void {
  testAll(name, languages, run);
}

/** A test of all workers, on sockets as well. */
function ofEach(name: string, run: (kind: Kind) => Promise<void>): void {
  testAll(name, kinds, run);
}

function testAll<T extends Kind>(name: string, tried: readonly T[], run: (kind: T) => Promise<void>): void {
  const trial = async (kind: T) => {
    try {
      await run(kind);
    } catch (error) {
      throw new Error(`${kind}: ${(error as Error).message}`, { cause: error });
    }
  };
  test(name, async () => void (await Promise.all(tried.map(trial))), 120_000);
}

ofEach('a worker executes what is submitted from every language', async (kind) => {
  const queue = `all-to-${kind}`;
  startWorker(kind, { queue });
  const payload = { text: ' to be  or\n"not" to be: \\ \'é\'' };
  const answers = await Promise.all(languages.map((from) => submit(from, 'text.count', payload, { queue })));
  for (const { code, task } of answers) {
    expect(task).toMatchObject({ state: 'completed', result: { words: 8 }, attempt: 1 });
    expect(code).toBe(0);
  }
});

inEach('a submission whose answer gets lost makes one task, and its end is told', async (language) => {
  const queue = `lost-from-${language}`;
  const proxy = await openProxy();
  const submission = /^POST \/v1\/tasks /;
  const lost = Promise.all([proxy.breakAnswer(submission), proxy.loseAnswer(submission)]);
  const submitting = submit(language, 'anything', null, { queue, url: proxy.url });
  let [task] = await tasksOf(queue);
  while (!task) [task] = await tasksOf(queue);
  await cancel(task.id);
  await lost;
  const { code, task: told } = await submitting;
  expect(told).toMatchObject({ id: task.id, state: 'cancelled' });
  expect(code).toBe(1);
  expect(await tasksOf(queue)).toHaveLength(1);
});

ofEach('a worker tries again what failed, and gives up what it does not know', async (kind) => {
  const queue = `failing-${kind}`;
  startWorker(kind, { queue });
  const retry = { maxAttempts: 3, backoff: 'fixed', delay: 10, jitter: 'none' };
  const flaky = await accepted({ type: 'flaky', payload: { failures: 2 }, queue, retry });
  const unknown = await accepted({ type: 'nobody.knows', queue, retry });
  const done = await ended(api.url, flaky, headers);
  expect(done).toMatchObject({ state: 'completed', attempt: 3, result: { attempt: 3 } });
  expect(done.errors.map(({ message }) => message.trim())).toEqual(['not yet', 'not yet']);
  const failed = await ended(api.url, unknown, headers);
  expect(failed).toMatchObject({ state: 'failed', attempt: 1, failureReason: 'not-retryable' });
});

ofEach('workers stop what is cancelled, what takes too long, and what they have lost', async (kind) => {
  const queue = `stopped-${kind}`;
  // One that executes one task at a time would come to the second one late.
  const three = [1, 2, 3].map(() => startWorker(kind, { queue }));
  const task = { type: 'sleep', queue, payload: { ms: 60_000 }, retry: { maxAttempts: 1 } };
  const [cancelled, late, lost] = await Promise.all([
    accepted(task),
    accepted({ ...task, timeout: '1s' }),
    accepted(task),
  ]);
  await Promise.all([cancelled, lost].map(running));
  const given = Promise.race(three.map((worker) => says(worker, 'lease-lost')));
  await takeAway(queue, lost);
  await cancel(cancelled);
  expect(await ended(api.url, cancelled, headers)).toMatchObject({ state: 'cancelled', attempt: 1 });
  expect(await ended(api.url, late, headers)).toMatchObject({
    state: 'failed',
    errors: [{ code: 'timeout' }],
  });
  // The first attempt has ended, and the second one is another.
  await given;
  await running(lost);
  await cancel(lost);
  const again = { state: 'cancelled', attempt: 2, crashes: 1 };
  expect(await ended(api.url, lost, headers)).toMatchObject(again);
});

inEach('a worker ends what takes too long, whether its heartbeats are answered or not', async (language) => {
  const queue = `late-${language}`;
  const proxy = await openProxy();
  proxy.refuse(/heartbeat/);
  startWorker(language, { queue, url: proxy.url });
  const terms = { timeout: '1s', retry: { maxAttempts: 1 } };
  const id = await accepted({ type: 'sleep', queue, payload: { ms: 60_000 }, ...terms });
  const end = { state: 'failed', errors: [{ code: 'timeout' }] };
  expect(await ended(api.url, id, headers)).toMatchObject(end);
  expect(proxy.requests.some((head) => head.includes('heartbeat'))).toBe(true);
});

inEach('a worker whose answers get lost executes each task once', async (language) => {
  const queue = `unlucky-${language}`;
  const proxy = await openProxy();
  const first = await accepted({ type: 'text.count', payload: { text: 'a b' }, queue });
  const leases = /^POST \/v1\/queues\/[^/]+\/lease /;
  const losses = [
    proxy.breakAnswer(leases),
    proxy.loseAnswer(leases),
    proxy.loseAnswer(/^POST \/v1\/(leases\/settle|tasks\/[^/]+\/complete) /),
  ];
  startWorker(language, { queue, url: proxy.url });
  await Promise.all(losses);
  const second = await accepted({ type: 'text.count', payload: { text: 'a' }, queue });
  for (const [id, words] of [
    [first, 2],
    [second, 1],
  ] as const) {
    const task = await ended(api.url, id, headers);
    expect(task).toMatchObject({ state: 'completed', attempt: 1, crashes: 0, result: { words } });
  }
});

inEach('a worker keeps the lease of what it has done until that is known', async (language) => {
  const queue = `kept-${language}`;
  const proxy = await openProxy();
  const settlement = /^POST \/v1\/(leases\/settle|tasks\/[^/]+\/complete) /;
  const asked = (pattern: RegExp) => proxy.requests.filter((head) => pattern.test(head)).length;
  const heal = proxy.refuse(settlement);
  startWorker(language, { queue, url: proxy.url });
  const id = await accepted({ type: 'text.count', payload: { text: 'a b' }, queue });
  while (asked(settlement) === 0) await delay(20);
  const before = asked(/heartbeat/);
  while (asked(/heartbeat/) < before + 2) await delay(20);
  heal();
  expect(await ended(api.url, id, headers)).toMatchObject({ state: 'completed', attempt: 1, crashes: 0 });
});

ofEach('a worker told to stop ends what it can and gives back the rest, uncounted', async (kind) => {
  const queue = `stopping-${kind}`;
  const worker = startWorker(kind, { queue, graceSeconds: 20 });
  const short = await accepted({ type: 'sleep', payload: { ms: 700 }, queue });
  await says(worker, 'running');
  expect(await stop(worker)).toEqual([0, null]);
  expect(await taskOf(short)).toMatchObject({ state: 'completed' });
  expect(await workersOf(queue)).toEqual([]);

  const another = startWorker(kind, { queue, graceSeconds: 0 });
  const long = await accepted({ type: 'sleep', payload: { ms: 60_000 }, queue });
  await says(another, 'running');
  expect(await stop(another)).toEqual([0, null]);
  const returned = { state: 'pending', attempt: 0, failures: 0, crashes: 0, errors: [] };
  expect(await taskOf(long)).toMatchObject(returned);
});

inEach(
  'an idle worker told to stop leaves at once, and what it was just given goes back',
  async (language) => {
    const queue = `idle-${language}`;
    const proxy = await openProxy();
    const held = proxy.holdAnswer(/^POST \/v1\/queues\/[^/]+\/lease /);
    const worker = startWorker(language, { queue, url: proxy.url });
    const id = await accepted({ type: 'sleep', payload: { ms: 60_000 }, queue });
    await held;
    expect(await taskOf(id)).toMatchObject({ state: 'running' });
    expect(await stop(worker)).toEqual([0, null]);
    expect(await taskOf(id)).toMatchObject({ state: 'pending', attempt: 0, crashes: 0 });
  },
);

ofEach('a worker is seen, and does what it is told', async (kind) => {
  const queue = `told-${kind}`;
  const proxy = await openProxy();
  const worker = startWorker(kind, { queue, url: proxy.url, graceSeconds: 0 });
  let [seen] = await workersOf(queue);
  while (!seen) [seen] = await workersOf(queue);
  const pid = worker.pid!;
  expect(seen).toMatchObject({
    labels: { language: kind === 'socket' ? 'typescript' : kind },
    queues: [queue],
    host: hostname(),
    pid,
    version: '1.0.0',
  });
  expect([...seen.types].sort()).toEqual(['flaky', 'sleep', 'text.count']);

  const quiet = says(worker, 'told: quiet');
  await tell(seen.id, 'quiet');
  await quiet;
  const id = await accepted({ type: 'sleep', payload: { ms: 60_000 }, queue });
  // It has asked for tasks before it knew, once at most; from then on it does not.
  const asked = () => proxy.requests.filter((head) => head.includes('/lease ')).length;
  // One on a socket does not ask, and its connection says that it is there.
  if (kind !== 'socket') {
    await beats(seen.id, 2);
    const before = asked();
    await beats(seen.id, 1);
    expect(asked()).toBe(before);
  }
  expect(await taskOf(id)).toMatchObject({ state: 'pending', attempt: 0 });

  await tell(seen.id, 'resume');
  await running(id);
  await tell(seen.id, 'terminate');
  expect(await workers.get(worker)).toEqual([0, null]);
  expect(await taskOf(id)).toMatchObject({ state: 'pending', attempt: 0, crashes: 0 });
  expect(await workersOf(queue)).toEqual([]);
});

test('a worker on a socket goes on after a cut, with what it has and with what it gets', async () => {
  const queue = 'cut';
  const proxy = await openProxy();
  const upgrade = /^GET \/v1\/ws /;
  const worker = startWorker('socket', { queue, url: proxy.url });
  const done = await accepted({ type: 'sleep', payload: { ms: 300 }, queue });
  const still = await accepted({ type: 'sleep', payload: { ms: 2_000 }, queue });
  await Promise.all([done, still].map(running));
  const [before] = await workersOf(queue);
  const heal = proxy.refuse(upgrade);
  proxy.cut();
  // It has something to tell, and nobody to tell it to.
  await says(worker, 'settle');
  heal();
  const next = await accepted({ type: 'text.count', payload: { text: 'a' }, queue });
  for (const id of [done, still, next]) {
    expect(await ended(api.url, id, headers)).toMatchObject({ state: 'completed', attempt: 1, crashes: 0 });
  }
  expect(await workersOf(queue)).toEqual([expect.objectContaining({ id: before!.id })]);
});

test('what was assigned to a worker on a socket and did not arrive goes back when it resumes', async () => {
  const queue = 'not-arrived';
  const proxy = await openProxy();
  const worker = startWorker('socket', { queue, url: proxy.url });
  let [seen] = await workersOf(queue);
  while (!seen) [seen] = await workersOf(queue);
  proxy.mute();
  const id = await accepted({ type: 'text.count', payload: { text: 'a b' }, queue });
  await running(id);
  proxy.cut();
  expect(await ended(api.url, id, headers)).toMatchObject({ state: 'completed', attempt: 1, crashes: 0 });
  expect(await stop(worker)).toEqual([0, null]);
});

test('a worker on a socket told to stop without a connection gives back what it was assigned when it has one', async () => {
  const queue = 'away';
  const proxy = await openProxy();
  const worker = startWorker('socket', { queue, url: proxy.url });
  let [seen] = await workersOf(queue);
  while (!seen) [seen] = await workersOf(queue);
  proxy.mute();
  const id = await accepted({ type: 'text.count', payload: { text: 'a b' }, queue });
  await running(id);
  const heal = proxy.refuse(/^GET \/v1\/ws /);
  proxy.cut();
  await says(worker, 'Error');
  const asked = says(worker, 'credit: Error: not connected');
  const stopped = stop(worker);
  await asked;
  heal();
  expect(await stopped).toEqual([0, null]);
  expect(await taskOf(id)).toMatchObject({ state: 'pending', attempt: 0, crashes: 0 });
  expect(await workersOf(queue)).toEqual([]);
});

ofEach('a worker with a wrong key ends', async (kind) => {
  const worker = startWorker(kind, { queue: 'locked', apiKey: 'a-key-that-nobody-gave-out' });
  expect(await workers.get(worker)).toEqual([1, null]);
});

interface Terms {
  queue: string;
  url?: string;
  apiKey?: string;
  graceSeconds?: number;
}

const workers = new Map<ChildProcess, Promise<unknown>>();
const proxies = new Set<Proxy>();

function environment({ queue, url = api.url, apiKey = API_KEY, graceSeconds = 2 }: Terms): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    TMPDIR: examples.dir,
    FAIRLANE_URL: url,
    FAIRLANE_API_KEY: apiKey,
    FAIRLANE_QUEUE: queue,
    FAIRLANE_GRACE_SECONDS: String(graceSeconds),
    FAIRLANE_BEAT_SECONDS: '0.3',
  };
}

function startWorker(kind: Kind, terms: Terms): ChildProcess {
  const [file, ...args] = examples.worker(kind);
  // A group of its own, so that what it started ends with it.
  const worker = spawn(file, args, {
    env: environment(terms),
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  worker.stdout!.resume();
  workers.set(worker, once(worker, 'exit'));
  return worker;
}

async function says(worker: ChildProcess, word: string): Promise<void> {
  for await (const [text] of on(worker.stdout!.setEncoding('utf8'), 'data')) {
    if ((text as string).includes(word)) return;
  }
}

function stop(worker: ChildProcess): Promise<unknown> | undefined {
  worker.kill('SIGTERM');
  return workers.get(worker);
}

async function openProxy(): Promise<Proxy> {
  const proxy = await startProxy(Number(new URL(api.url).port));
  proxies.add(proxy);
  return proxy;
}

async function closeAll(): Promise<void> {
  for (const [worker, exited] of workers) {
    try {
      process.kill(-worker.pid!, 'SIGKILL');
    } catch {
      // It has ended.
    }
    await exited;
  }
  workers.clear();
  await Promise.all([...proxies].map((proxy) => proxy.cleanup()));
  proxies.clear();
}

async function submit(language: Language, type: string, payload: unknown, terms: Terms) {
  const [file, ...args] = examples.submit(language);
  return new Promise<{ code: number; task: TaskBody }>((resolve, reject) => {
    const words = [...args, type, JSON.stringify(payload)];
    execFile(file, words, { env: environment(terms) }, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr));
      else resolve({ code: Number(error?.code ?? 0), task: JSON.parse(stdout) as TaskBody });
    });
  });
}

async function accepted(task: object): Promise<string> {
  const { status, body } = await post<TaskBody>(`${api.url}/v1/tasks`, task, headers);
  expect(status).toBe(202);
  return body.id;
}

async function tasksOf(queue: string): Promise<TaskBody[]> {
  const url = `${api.url}/v1/tasks?queue=${queue}`;
  return (await request<{ items: TaskBody[] }>(url, { headers })).body.items;
}

async function taskOf(id: string): Promise<TaskBody> {
  return (await request<TaskBody>(`${api.url}/v1/tasks/${id}`, { headers })).body;
}

interface WorkerBody {
  id: string;
  types: string[];
  seenAt: string;
}

async function workersOf(queue: string): Promise<WorkerBody[]> {
  const url = `${api.url}/v1/workers?queue=${queue}`;
  return (await request<{ items: WorkerBody[] }>(url, { headers })).body.items;
}

async function tell(worker: string, command: 'quiet' | 'resume' | 'terminate'): Promise<void> {
  const { status } = await post(`${api.url}/v1/workers/${worker}/${command}`, undefined, headers);
  expect(status).toBe(200);
}

/** Waits until the worker has said so many times that it is there. */
async function beats(worker: string, times: number): Promise<void> {
  const look = async () =>
    (await request<WorkerBody>(`${api.url}/v1/workers/${worker}`, { headers })).body.seenAt;
  for (let seen = await look(); times > 0; times--) {
    const before = seen;
    while (seen === before) {
      await delay(20);
      seen = await look();
    }
  }
}

async function cancel(id: string): Promise<void> {
  const { status } = await post(`${api.url}/v1/tasks/${id}/cancel`, undefined, headers);
  expect(status).toBe(200);
}

async function running(id: string): Promise<void> {
  while ((await taskOf(id)).state !== 'running') await delay(10);
}

/** What happens to the lease of a worker that is not heard of in time. */
async function takeAway(queue: string, id: string): Promise<void> {
  const engine = createRedisQueue({ address: { url: redis.url } });
  await engine.open();
  const client = new Redis(redis.url);
  const [, key] = id.split('~') as [string, string];
  // Its heartbeat may come in between, and then the lease holds again.
  const runOut = () => client.zadd(queueKey('fairlane', queue, 'leases'), 'XX', Date.now() - 1, key);
  do await runOut();
  while ((await engine.reap(queue)).count === 0);
  await client.quit();
  await engine.close();
}
