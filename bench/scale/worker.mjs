// One of the processes of crew.mjs: gets a job, does it with some workers, and answers.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createRedisQueue, HandlerTable, Runner } from '../../dist/libs/queue/src/index.js';
import { completed, QUEUE } from './tasks.mjs';

const jobs = { shares, rate };

const [job] = await once(process, 'message');
const queue = createRedisQueue({ address: { port: job.port } });
await queue.open();
const answer = await jobs[job.job](job);
await queue.close();
process.send(answer);

/** Starts tasks until all processes together have started `starts`; returns how many of each tenant. */
async function shares({ name, workers, port, starts }) {
  const max = 5;
  const counter = new Redis({ port });
  const counts = {};
  const work = async (workerId) => {
    const request = { queue: QUEUE, workerId, max, leaseMs: 30_000 };
    let tasks = [];
    while ((await counter.incrby('bench:starts', max)) <= starts) {
      const { lease } = await queue.settle(completed(tasks), request);
      ({ tasks } = lease);
      for (const { tenant } of tasks) counts[tenant] = (counts[tenant] ?? 0) + 1;
    }
    await queue.settle(completed(tasks));
  };
  await Promise.all(Array.from({ length: workers }, (_, i) => work(`${name}-${i}`)));
  await counter.quit();
  return counts;
}

/** Runs what there is for `ms`; returns when each task started, in ms since the epoch. */
async function rate({ name, workers, ms }) {
  const startedAt = [];
  const handlers = new HandlerTable([{ type: 'noop', run: () => void startedAt.push(Date.now()) }]);
  const runners = Array.from(
    { length: workers },
    (_, i) => new Runner({ queue, handlers, queues: [QUEUE], workerId: `${name}-${i}` }),
  );
  for (const runner of runners) runner.start();
  await delay(ms);
  await Promise.all(runners.map((runner) => runner.drain(1_000)));
  return startedAt;
}
