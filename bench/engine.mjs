#!/usr/bin/env node
// Measures the engine against BullMQ on the same Redis, in one run: submit singly and in batches, then drain.
//
//   npm run bench -- [--tasks 50000] [--rounds 3] [--fsync no|everysec|always]
//
// Prints tasks per second (minimum, median, maximum over the rounds) and the ratio of the medians. Machines are
// noisy: only the ratios of one run mean anything. Payload 150 bytes, three attempts allowed, no-op handler, one
// process, everything the engine does by default (leases, counters, events, retention) switched on.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Queue as BullQueue, Worker as BullWorker } from 'bullmq';
import { Redis } from 'ioredis';
import { createRedisQueue } from '../dist/libs/queue/src/index.js';
import { ensureRedis, startRedis } from '../tools/lib/redis.mjs';

const { values: options } = parseArgs({
  options: {
    tasks: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '3' },
    fsync: { type: 'string', default: 'no' },
  },
});
const tasks = Number(options.tasks);
const rounds = Number(options.rounds);
const payload = JSON.stringify({ text: 'x'.repeat(138) });
const BATCH = 100;
const IN_FLIGHT = 64;

const { binary, version } = await ensureRedis();
const dir = await mkdtemp(join(tmpdir(), 'fairlane-bench-'));
const redis = await startRedis({ binary, dir, appendfsync: options.fsync });
const admin = new Redis(redis.url);
const results = { fairlane: [], bullmq: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const [name, measure] of Object.entries({ fairlane: measureFairlane, bullmq: measureBullmq })) {
    await admin.flushall();
    results[name].push(await measure());
  }
}
print();
await admin.quit();
await redis.stop();
await rm(dir, { recursive: true });
process.exit();

async function measureFairlane() {
  const queue = createRedisQueue({ address: { port: redis.port } });
  await queue.open();
  const measured = {};
  const task = { queue: 'bench', type: 'noop', payload };
  measured['submit singly, 64 in flight'] = await rate(() => inFlight(tasks, () => queue.enqueue([task])));
  measured['bytes per waiting task'] = await bytesPerTask();
  await admin.flushall();
  const batch = Array.from({ length: BATCH }, () => task);
  measured['submit in batches of 100'] = await rate(() =>
    inFlight(tasks / BATCH, () => queue.enqueue(batch)),
  );
  measured['drain, one process'] = await rate(() =>
    Promise.all(['a', 'b'].map((workerId) => drain(queue, workerId))),
  );
  const [overview] = await queue.overview(['bench']);
  if (overview.states.completed !== tasks)
    throw new Error(`completed ${overview.states.completed} of ${tasks}`);
  await queue.close();
  return measured;
}

async function drain(queue, workerId) {
  const request = { queue: 'bench', workerId, max: BATCH, leaseMs: 30_000 };
  let lease = await queue.lease(request);
  while (lease.tasks.length > 0) {
    const settlements = lease.tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' }));
    ({ lease } = await queue.settle(settlements, request));
  }
}

async function measureBullmq() {
  const connection = { port: redis.port };
  const queue = new BullQueue('bench', {
    connection,
    defaultJobOptions: { attempts: 3, removeOnComplete: { count: 1_000 } },
  });
  await queue.waitUntilReady();
  const measured = {};
  const data = JSON.parse(payload);
  measured['submit singly, 64 in flight'] = await rate(() => inFlight(tasks, () => queue.add('noop', data)));
  measured['bytes per waiting task'] = await bytesPerTask();
  await admin.flushall();
  const batch = Array.from({ length: BATCH }, () => ({ name: 'noop', data }));
  measured['submit in batches of 100'] = await rate(() =>
    inFlight(tasks / BATCH, () => queue.addBulk(batch)),
  );
  measured['drain, one process'] = await rate(
    () =>
      new Promise((resolve) => {
        let done = 0;
        const worker = new BullWorker('bench', async () => undefined, { connection, concurrency: IN_FLIGHT });
        worker.on('completed', () => {
          done += 1;
          if (done === tasks) resolve(worker.close(true));
        });
      }),
  );
  await queue.close();
  return measured;
}

async function inFlight(count, work) {
  let left = count;
  const one = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, one));
}

async function rate(work) {
  const startedMs = performance.now();
  await work();
  return (tasks / (performance.now() - startedMs)) * 1_000;
}

async function bytesPerTask() {
  const used = async () => Number(/used_memory:(\d+)/.exec(await admin.info('memory'))[1]);
  const full = await used();
  await admin.flushall('SYNC');
  return (full - (await used())) / tasks;
}

function print() {
  console.log(
    `${version}, appendfsync ${options.fsync}, Node ${process.version}, ${tasks} tasks, ${rounds} rounds\n`,
  );
  const rows = Object.keys(results.fairlane[0]).map((scenario) => {
    const of = (name) => results[name].map((round) => round[scenario]).sort((a, b) => a - b);
    const [ours, theirs] = [of('fairlane'), of('bullmq')];
    return {
      scenario,
      'fairlane min/median/max': show(ours),
      'bullmq min/median/max': show(theirs),
      ratio: (median(ours) / median(theirs)).toFixed(2),
    };
  });
  console.table(rows);
}

function show(sorted) {
  return [sorted[0], median(sorted), sorted.at(-1)].map((value) => Math.round(value)).join(' / ');
}

function median(sorted) {
  return sorted[Math.floor(sorted.length / 2)];
}
