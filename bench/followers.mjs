// npm run bench:followers: what thousands of followers cost one API process through which tasks go.
//
//   npm run build && npm run bench:followers -- [--followers 5000] [--rate 1000] [--seconds 10]
//
// Of the followers 80 % follow one task each, 20 % a tenant of the busy queue (one task in a thousand); then ten follow the
// whole queue as well. Tasks are submitted and worked off by the engine in this process, beside it one submission at a time
// goes over HTTP and is timed. One run, so that the columns can be compared.
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createRedisQueue } from '../dist/libs/queue/src/index.js';
import { quantile, rounded } from './lib/figures.mjs';
import { Service } from './lib/service.mjs';

const { values } = parseArgs({
  options: {
    followers: { type: 'string', default: '5000' },
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
  },
});
const followers = Number(values.followers);
const rate = Number(values.rate);
const TENANTS = 1_000;
const TICK_MS = 20;
const WHOLE = 10;

const service = await Service.start();
const { url } = service;
const queue = createRedisQueue({ address: { port: service.redis.port } });
const requests = [];
let received = 0;

try {
  await queue.open();
  console.log(`${service.version}, Node ${process.versions.node}, ${rate} tasks/s\n`);
  await queue.enqueue([{ type: 'noop', queue: 'busy', key: 'first' }]);
  const rows = [await measure('none')];
  const idle = await metrics();
  await followMany();
  rows.push(await measure(`${followers} of tasks and tenants`, idle));
  await Promise.all(Array.from({ length: WHOLE }, () => follow('/v1/queues/busy/events')));
  rows.push(await measure(`and ${WHOLE} of the queue`));
  for (const row of rows) row['p50 ratio'] = rounded(row['submit p50 ms'] / rows[0]['submit p50 ms']);
  console.table(rows);
} finally {
  for (const request of requests) request.destroy();
  await queue.close();
  await service.stop();
}

async function followMany() {
  const ofTasks = Math.floor(followers * 0.8);
  for (let from = 0; from < followers; from += 100) {
    const keys = Array.from({ length: Math.min(100, followers - from) }, (_, i) => from + i);
    const tasks = keys.map((key) => ({
      type: 'noop',
      queue: 'busy',
      key: `followed-${key}`,
      delayMs: 3_600_000,
    }));
    await queue.enqueue(tasks);
    await Promise.all(
      keys.map((key) =>
        follow(
          key < ofTasks
            ? `/v1/tasks/busy~followed-${key}/events`
            : `/v1/queues/busy/events?tenant=t${key % TENANTS}`,
        ),
      ),
    );
  }
}

async function follow(path) {
  const request = get(url + path, { agent: false });
  requests.push(request);
  request.on('error', () => undefined);
  const [response] = await once(request, 'response');
  if (response.statusCode !== 200) throw new Error(`${path} was answered ${response.statusCode}`);
  // Read and counted, not parsed: this process is not what is measured.
  response.on('data', (bytes) => {
    for (let at = bytes.indexOf('data: '); at >= 0; at = bytes.indexOf('data: ', at + 6)) received += 1;
  });
  response.on('error', () => undefined);
}

async function measure(who, before) {
  await load(2);
  const [start, receivedBefore] = [await metrics(), received];
  const started = performance.now();
  const latencies = await load(Number(values.seconds));
  const seconds = (performance.now() - started) / 1_000;
  const end = await metrics();
  return {
    followers: who,
    'submit p50 ms': rounded(quantile(latencies, 0.5)),
    'submit p99 ms': rounded(quantile(latencies, 0.99)),
    'events/s': Math.round((received - receivedBefore) / seconds),
    'API CPU %': rounded(((end.cpu - start.cpu) / seconds) * 100),
    'loop delay p50 ms': rounded(end.lagP50 * 1_000),
    'loop delay p99 ms': rounded(end.lagP99 * 1_000),
    'API MiB': Math.round(end.bytes / 1_048_576),
    'KiB/follower': before ? rounded((end.bytes - before.bytes) / followers / 1_024) : '',
  };
}

/** Lets tasks go through for a while; answers what submissions over HTTP took. */
async function load(seconds) {
  const until = performance.now() + seconds * 1_000;
  const latencies = [];
  const submitting = (async () => {
    while (performance.now() < until) {
      const started = performance.now();
      const answer = await fetch(`${url}/v1/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"type":"noop","queue":"busy"}',
      });
      if (answer.status !== 202) throw new Error(`a submission was answered ${answer.status}`);
      await answer.text();
      latencies.push(performance.now() - started);
      await delay(5);
    }
  })();
  const perTick = Math.round((rate * TICK_MS) / 1_000);
  for (let tick = 0; performance.now() < until; tick += 1) {
    const next = performance.now() + TICK_MS;
    const tasks = Array.from({ length: perTick }, (_, i) => ({
      type: 'noop',
      queue: 'busy',
      tenant: `t${(tick * perTick + i) % TENANTS}`,
    }));
    await queue.enqueue(tasks);
    const lease = await queue.lease({ queue: 'busy', workerId: 'w', max: perTick + 10, leaseMs: 30_000 });
    await queue.settle(lease.tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' })));
    await delay(Math.max(0, next - performance.now()));
  }
  await submitting;
  return latencies;
}

async function metrics() {
  const number = await service.metrics();
  return {
    cpu: number('process_cpu_seconds_total'),
    bytes: number('process_resident_memory_bytes'),
    lagP50: number('nodejs_eventloop_lag_p50_seconds'),
    lagP99: number('nodejs_eventloop_lag_p99_seconds'),
  };
}
