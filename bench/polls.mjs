// npm run bench:polls: what workers cost that wait for tasks over HTTP, and how soon they hear of one.
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { quantile, rounded } from './lib/figures.mjs';
import { Service } from './lib/service.mjs';
import { Crew } from './polls/crew.mjs';

const { values } = parseArgs({
  options: {
    polls: { type: 'string', default: '0,100,1000,5000' },
    seconds: { type: 'string', default: '10' },
    wakes: { type: 'string', default: '200' },
  },
});

const service = await Service.start();
const { url } = service;
const redis = new Redis(service.redis.url);

try {
  console.log(`${service.version}, Node ${process.versions.node}\n`);
  const rows = [];
  for (const polls of values.polls.split(',').map(Number)) rows.push(await measure(polls));
  console.table(rows);
} finally {
  redis.disconnect();
  await service.stop();
}

async function measure(polls) {
  const before = await snapshot();
  const crew = new Crew(url, `q${polls}`, polls);
  // Redis knows the script from then on, so that each later call of it is one command.
  await crew.askOnce();
  const { scripts } = await snapshot();
  crew.start();
  while ((await snapshot()).scripts < scripts + polls) await delay(100);
  // What parking left behind for the collector is not what a parked poll needs.
  await delay(2_000);
  const [start, startedAtMs] = [await snapshot(), performance.now()];
  await delay(Number(values.seconds) * 1_000);
  const [end, seconds] = [await snapshot(), (performance.now() - startedAtMs) / 1_000];
  const wakes = polls === 0 ? 0 : Number(values.wakes);
  const wakesMs = [];
  for (let n = 0; n < wakes; n++) wakesMs.push(await crew.wakeOne());
  const scriptsPerTask = ((await snapshot()).scripts - end.scripts) / wakes;
  crew.leave();
  const perSecond = (name) => (end[name] - start[name]) / seconds;
  return {
    polls,
    'Redis commands/s': rounded(perSecond('commands')),
    'Redis CPU %': rounded(perSecond('redisCpu') * 100),
    'API CPU %': rounded(perSecond('apiCpu') * 100),
    'API KiB/poll': rounded((start.apiBytes - before.apiBytes) / polls / 1_024),
    'wake p50 ms': rounded(quantile(wakesMs, 0.5)),
    'wake p99 ms': rounded(quantile(wakesMs, 0.99)),
    'scripts/task': rounded(scriptsPerTask),
  };
}

async function snapshot() {
  const [info, cpu, metrics] = await Promise.all([
    redis.info('commandstats'),
    redis.info('cpu'),
    service.metrics(),
  ]);
  const used = (pattern) => Number(pattern.exec(cpu)?.[1]);
  return {
    // Without those that ask for this, and what the metrics ask.
    commands: sum(info, /^cmdstat_(?!info)[\w|]+:calls=(\d+)/gm),
    scripts: sum(info, /^cmdstat_fcall:calls=(\d+)/gm),
    redisCpu: used(/^used_cpu_user:(\S+)/m) + used(/^used_cpu_sys:(\S+)/m),
    apiCpu: metrics('process_cpu_seconds_total'),
    apiBytes: metrics('process_resident_memory_bytes'),
  };
}

function sum(source, pattern) {
  return [...source.matchAll(pattern)].reduce((total, [, count]) => total + Number(count), 0);
}
