import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startClient } from '../lib/client.mjs';
import { quantile } from '../lib/figures.mjs';
import { startStore } from '../lib/servers.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { BATCH } from '../lib/work.mjs';

const SYSTEMS = ['fairlane', 'bullmq', 'bee-queue', 'beanstalkd'];
/** Of what is measured, so much is done before, for compilers and connections. */
const WARM_UP = 0.25;
/** Nothing that works takes so long. */
const PATIENCE_MS = 120_000;

export const enqueueSingly = {
  figures: { 'enqueue-singly': { title: 'Enqueue singly, 64 in flight', unit: 'tasks/s' } },
  systems: SYSTEMS,
  async measure(system, { tasks, fsync }) {
    return { 'enqueue-singly': await withClient(system, fsync, (client) => submit(client, { tasks })) };
  },
};

export const enqueueBatches = {
  figures: { 'enqueue-batches': { title: 'Enqueue in batches of 100', unit: 'tasks/s' } },
  systems: SYSTEMS,
  async measure(system, { tasks, fsync }) {
    return {
      'enqueue-batches': await withClient(system, fsync, (client) => submit(client, { tasks, batch: BATCH })),
    };
  },
};

export const drain = {
  figures: {
    'drain-one': { title: 'Drain, one worker process', unit: 'tasks/s' },
    'drain-two': { title: 'Drain, two worker processes', unit: 'tasks/s' },
  },
  rounds: 7,
  systems: SYSTEMS,
  async measure(system, settings) {
    return {
      'drain-one': await drainFilled(system, settings, 1),
      'drain-two': await drainFilled(system, settings, 2),
    };
  },
};

export const drainOne = {
  figures: { 'drain-one': drain.figures['drain-one'] },
  measure: async (system, settings) => ({ 'drain-one': await drainFilled(system, settings, 1) }),
};

export const latency = {
  figures: {
    'latency-median': { title: 'Enqueue to handler at rest, median', unit: 'ms', less: true },
    'latency-p99': { title: 'Enqueue to handler at rest, p99', unit: 'ms', less: true },
  },
  rounds: 7,
  systems: SYSTEMS,
  async measure(system, { latencies, fsync }) {
    return withClient(system, fsync, async (client) => {
      const all = await restLatencies(client, { latencies });
      return { 'latency-median': quantile(all, 0.5), 'latency-p99': quantile(all, 0.99) };
    });
  },
};

export const memory = {
  figures: { memory: { title: 'Memory per waiting task', unit: 'bytes', less: true } },
  systems: SYSTEMS.filter((system) => system !== 'beanstalkd'),
  async measure(system, { tasks }) {
    return withClient(system, 'off', async (client, { port }) => {
      const redis = new Redis({ port });
      const used = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))[1]);
      // So that scripts and buffers are there already.
      await client.call('submit', { tasks: BATCH, batch: BATCH });
      const before = await used();
      await client.call('submit', { tasks, batch: BATCH });
      const bytes = ((await used()) - before) / tasks;
      await redis.quit();
      return { memory: bytes };
    });
  },
};

/** Tasks per second, after a warm-up. */
export async function submit(client, { tasks, ...options }) {
  await client.call('submit', { tasks: tasks * WARM_UP, ...options });
  return client.call('submit', { tasks, ...options });
}

/** How many tasks wait after that. */
export function submitted(tasks) {
  return tasks * (1 + WARM_UP);
}

/** From the call that submits a task to the start of its handler, in ms, of one task after the other. */
export async function restLatencies(client, { latencies }, work) {
  await client.call('work', work);
  await client.call('latencies', { tasks: latencies * WARM_UP, restMs: 1 });
  return client.call('latencies', { tasks: latencies, restMs: 2 });
}

/** Lets so many worker processes work off `tasks`; answers how many per second, once they have warmed up. */
export async function drainRate(system, store, tasks, workers, work) {
  const clients = await Promise.all(Array.from({ length: workers }, () => startClient(system, store)));
  const all = (method, options) => Promise.all(clients.map((client) => client.call(method, options)));
  await all('work', work);
  const givenUpAtMs = performance.now() + PATIENCE_MS;
  for (let ended = 0; ended < tasks; ended = (await all('ended')).reduce((sum, count) => sum + count)) {
    if (performance.now() > givenUpAtMs)
      throw new Error(`${system} ended ${ended} of ${tasks} tasks and no more`);
    await delay(20);
  }
  const endedAtMs = (await all('endedAtMs')).flat().toSorted((a, b) => a - b);
  await Promise.all(clients.map((client) => client.stop()));
  const warm = Math.floor(tasks * WARM_UP);
  return ((tasks - warm - 1) / (endedAtMs[tasks - 1] - endedAtMs[warm])) * 1_000;
}

/**
 * Two workers have twice the tasks: a process is warm only after some 60,000 of its own. Where two had as many as one to share,
 * they were measured half warm, and seemed to be a tenth slower than one.
 */
async function drainFilled(system, { tasks, fsync }, workers) {
  return withClient(system, fsync, async (client, store) => {
    await client.call('submit', { tasks: tasks * workers, batch: BATCH });
    return drainRate(system, store, tasks * workers, workers);
  });
}

async function withClient(system, fsync, work) {
  return whileRunning(await startStore(system, fsync), async (store) =>
    whileRunning(await startClient(system, store), (client) => work(client, store)),
  );
}
