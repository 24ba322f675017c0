import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from '../../tools/lib/ports.mjs';
import { startNodeService } from '../../tools/lib/processes.mjs';
import { startHttp } from '../lib/http-services.mjs';
import { startBenchRedis } from '../lib/servers.mjs';
import { Service } from '../lib/service.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { Crew } from '../polls/crew.mjs';

const WORKERS = 4;
const POLLS = 200;
/** Until all have started and found that there is nothing to do. */
const SETTLE_MS = 10_000;
const WATCHED_MS = 5_000;
const TICKS_PER_SECOND = 100;

export const start = {
  figures: { start: { title: 'Start of an API, until it is ready to serve', unit: 's', less: true } },
  systems: ['fairlane'],
  async measure(system) {
    return whileRunning(await startBenchRedis(), async (redis) => {
      const startedAtMs = performance.now();
      return whileRunning(await startHttp(system, redis), () => ({
        start: (performance.now() - startedAtMs) / 1_000,
      }));
    });
  },
};

export const idle = {
  figures: {
    'idle-commands': {
      title: `At rest, ${WORKERS} workers, ${POLLS} polls: Redis`,
      unit: 'commands/s',
      less: true,
    },
    'idle-calls': { title: 'At rest: Redis, with what scripts call', unit: 'commands/s', less: true },
    'idle-cpu': { title: 'At rest: CPU of Redis and API', unit: '% of a core', less: true },
    'idle-cpu-worker': { title: 'At rest: CPU of a worker', unit: '% of a core', less: true },
  },
  systems: ['fairlane'],
  async measure() {
    return whileRunning(await Service.start(), async ({ redis, url, pid }) =>
      whileRunning(await startWorkers(redis.url), async ({ pids }) => {
        const crew = new Crew(url, 'polled', POLLS);
        crew.start();
        await delay(SETTLE_MS);
        const client = new Redis(redis.url);
        const monitor = await client.monitor();
        let sent = 0;
        monitor.on('monitor', (_time, _command, source) => (sent += source === 'lua' ? 0 : 1));
        const before = await snapshot(client, [redis.pid, pid], pids);
        sent = 0;
        await delay(WATCHED_MS);
        const after = await snapshot(client, [redis.pid, pid], pids);
        monitor.disconnect();
        client.disconnect();
        crew.leave();
        const perSecond = (name) => (after[name] - before[name]) / (WATCHED_MS / 1_000);
        return {
          'idle-commands': sent / (WATCHED_MS / 1_000),
          'idle-calls': perSecond('calls'),
          'idle-cpu': perSecond('cpu') * 100,
          'idle-cpu-worker': (perSecond('workersCpu') * 100) / WORKERS,
        };
      }),
    );
  },
};

async function startWorkers(redisUrl) {
  const services = [];
  for (let n = 0; n < WORKERS; n += 1) {
    const port = String(await freePort());
    const env = { ...process.env, REDIS_URL: redisUrl, WORKER_PORT: port, LOG_LEVEL: 'error' };
    services.push(startNodeService('worker', 'dist/apps/worker/src/main.js', env));
  }
  const stop = () => Promise.all(services.map((service) => service.stop(10_000)));
  return { pids: services.map(({ pid }) => pid), stop };
}

async function snapshot(client, pids, workerPids) {
  const stats = await client.info('commandstats');
  const calls = [...stats.matchAll(/^cmdstat_(?!info)[\w|]+:calls=(\d+)/gm)].map(([, count]) =>
    Number(count),
  );
  return {
    calls: sum(calls),
    cpu: sum(await Promise.all(pids.map(cpuSeconds))),
    workersCpu: sum(await Promise.all(workerPids.map(cpuSeconds))),
  };
}

/** Linux says it; elsewhere NaN. */
async function cpuSeconds(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
