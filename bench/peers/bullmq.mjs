import { Queue, Worker } from 'bullmq';
import { ATTEMPTS, PAYLOAD, QUEUE, TYPE } from '../lib/work.mjs';

/** BullMQ, which keeps as many finished jobs as its documentation advises. */
export async function open({ port }) {
  const connection = { port };
  const queue = new Queue(QUEUE, {
    connection,
    defaultJobOptions: { attempts: ATTEMPTS, removeOnComplete: { count: 1_000 } },
  });
  await queue.waitUntilReady();
  let worker;
  return {
    async enqueue(count) {
      if (count === 1) await queue.add(TYPE, PAYLOAD);
      else await queue.addBulk(Array.from({ length: count }, () => ({ name: TYPE, data: PAYLOAD })));
    },
    work(concurrency, { started, ended }) {
      worker = new Worker(QUEUE, async () => started(), { connection, concurrency });
      worker.on('completed', () => ended());
    },
    async close() {
      await worker?.close(true);
      await queue.close();
    },
  };
}
