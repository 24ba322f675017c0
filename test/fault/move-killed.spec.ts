import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { HandlerTable, Runner } from '@app/queue';
import { Queue as StockQueue, Worker as StockWorker } from 'bullmq';
import { root } from '../../tools/lib/root.mjs';
import { openTestQueue, removeKeys, sharedRedisPort } from '../support/redis.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const connection = { port: sharedRedisPort(), maxRetriesPerRequest: null };
const FAR_MS = 3_600_000;
const SLOW_MS = 5;

/** A slow way to Redis, so that a moment at random is one between any two steps. What was sent arrives, killed or not. */
async function startSlowWay(): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(connection.port, '127.0.0.1');
    client.on('data', (bytes) => void setTimeout(() => upstream.write(bytes), SLOW_MS));
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('close', () => setTimeout(() => upstream.destroy(), 2 * SLOW_MS));
    upstream.on('close', () => client.destroy());
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => server.close());
  return (server.address() as AddressInfo).port;
}

/** A queue of BullMQ with a worker, and our queue of the same name with one, which count what they execute. */
async function start() {
  const { queue, keyPrefix, redis, cleanup } = await openTestQueue();
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  cleanups.push(async () => {
    await removeKeys(redis, prefix);
    await cleanup();
  });
  const executed: Record<'theirs' | 'ours', string[]> = { theirs: [], ours: [] };
  const stock = new StockQueue('q', { connection, prefix });
  // It takes its time, so that most is left to move.
  const work = async ({ id }: { id?: string }) => {
    executed.theirs.push(id!);
    await delay(50);
  };
  const theirs = new StockWorker('q', work, {
    connection,
    prefix,
    concurrency: 5,
    removeOnComplete: { count: 0 },
  });
  cleanups.push(async () => {
    await theirs.close();
    await stock.close();
  });
  await theirs.waitUntilReady();
  const run = ({ id }: { id: string }) => void executed.ours.push(id.slice(2));
  const runner = new Runner({
    queue,
    handlers: new HandlerTable([{ type: 'a', queue: 'q', run }]),
    queues: ['q'],
    workerId: 'ours',
  });
  runner.start();
  cleanups.push(() => runner.drain(1_000));
  const env = {
    ...process.env,
    REDIS_URL: `redis://127.0.0.1:${await startSlowWay()}`,
    FAIRLANE_KEY_PREFIX: keyPrefix,
    // As the service has been set up so far: the move goes to our own engine all the same.
    FAIRLANE_BACKEND: 'bullmq',
  };
  /** The command in a process of its own, killed that long after it was started, or after it has said something. */
  const move = async (kill?: { afterMs: number; of: 'start' | 'first slice' }) => {
    const args = ['dist/apps/cli/src/main.js', 'move-queue', 'q', '--prefix', prefix];
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));
    const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
    if (kill) {
      if (kill.of === 'first slice') await Promise.race([once(child.stdout, 'data'), exited]);
      await delay(kill.afterMs);
      child.kill('SIGKILL');
    }
    const [code, signal] = await exited;
    return { code, signal, output };
  };
  return { queue, stock, executed, move };
}

test('a move that is killed again and again loses no job and doubles none', async () => {
  const { queue, stock, executed, move } = await start();
  const options: { priority?: number; delay?: number }[] = [
    {},
    { priority: 3 },
    { delay: 500 },
    { delay: FAR_MS },
    { priority: 5, delay: 300 },
  ];
  const jobs = Array.from({ length: 1_500 }, (_, n) => ({
    name: 'a',
    data: { n },
    opts: { jobId: `job-${n}`, ...options[n % options.length] },
  }));
  for (let from = 0; from < jobs.length; from += 1_000) await stock.addBulk(jobs.slice(from, from + 1_000));
  const dueAt = (await stock.getJob('job-3'))!.timestamp + FAR_MS;

  let killed = 0;
  for (let round = 0; round < 8; round += 1) {
    const of = round % 4 === 3 ? 'start' : 'first slice';
    const { signal } = await move({ of, afterMs: Math.random() * (of === 'start' ? 600 : 80) });
    if (signal === 'SIGKILL') killed += 1;
  }
  expect(killed).toBeGreaterThan(4);
  const last = await move();
  expect(last).toMatchObject({ code: 0, output: expect.stringContaining('q stays paused') });

  const far = jobs.filter(({ opts }) => opts.delay === FAR_MS).map(({ opts }) => opts.jobId);
  const near = jobs.filter(({ opts }) => opts.delay !== FAR_MS).map(({ opts }) => opts.jobId);
  while (executed.theirs.length + executed.ours.length < near.length) await delay(20);
  expect([...executed.theirs, ...executed.ours].sort()).toEqual([...near].sort());
  expect(executed.ours.length).toBeGreaterThan(500);
  const waiting = await queue.get(far.map((jobId) => `q~${jobId}`));
  expect(waiting.filter((task) => task?.state !== 'scheduled')).toEqual([]);
  expect(waiting[0]).toMatchObject({ id: 'q~job-3', dueAt });
  expect(await stock.getJobCounts('waiting', 'prioritized', 'delayed', 'active')).toEqual({
    waiting: 0,
    prioritized: 0,
    delayed: 0,
    active: 0,
  });
}, 60_000);

test.each([
  [[]],
  [['move-queue']],
  [['move-queue', 'a', 'b']],
  [['move-queue', 'q', '--nonsense']],
  [['nonsense']],
])('a command that is not understood says how it is used, and does nothing: %j', async (args) => {
  const child = spawn(process.execPath, ['dist/apps/cli/src/main.js', ...args], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).toBe(2);
  expect(output).toContain('move-queue QUEUE [--from');
});
