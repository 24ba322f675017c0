import { Chores, createRedisQueue, HandlerTable, NO_METER, Runner } from '../../dist/libs/queue/src/index.js';
import { PAYLOAD_TEXT, QUEUE, TYPE } from '../lib/work.mjs';

/** The engine as a program embeds it, with all that a worker does: leases, heartbeats, counters, events, retention. */
export async function open({ port }) {
  const queue = createRedisQueue({ address: { port } });
  await queue.open();
  const holder = `bench:${process.pid}`;
  let runner;
  let chores;
  return {
    async enqueue(count, tenantOf) {
      // Three attempts are the default.
      const tasks = [];
      for (let i = 0; i < count; i += 1) {
        tasks.push({ queue: QUEUE, type: TYPE, payload: PAYLOAD_TEXT, tenant: tenantOf?.(i) });
      }
      const outcomes = await queue.enqueue(tasks);
      if (outcomes.some(({ status }) => status !== 'accepted')) throw new Error('a task was not accepted');
    },
    work(concurrency, { started, ended }, tenant) {
      runner = new Runner({
        queue,
        queues: [QUEUE],
        handlers: new HandlerTable([{ type: TYPE, run: () => started() }]),
        ...(tenant && { tenants: [tenant], steal: false }),
        concurrency,
        workerId: holder,
        meter: { ...NO_METER, attemptEnded: ended },
      });
      chores = new Chores({ queue, holder });
      runner.start();
      chores.start();
    },
    async close() {
      await chores?.stop();
      await runner?.releaseNow();
      await queue.close();
    },
  };
}
