import BeeQueue from 'bee-queue';
import { ATTEMPTS, PAYLOAD, QUEUE } from '../lib/work.mjs';

/** Bee-Queue with the settings that its documentation advises for speed. */
export async function open({ port }) {
  const settings = { redis: { port }, getEvents: false, sendEvents: false, storeJobs: false };
  const queue = new BeeQueue(QUEUE, { ...settings, isWorker: false });
  await queue.ready();
  const job = () => queue.createJob(PAYLOAD).retries(ATTEMPTS - 1);
  let worker;
  return {
    async enqueue(count) {
      if (count === 1) return void (await job().save());
      const errors = await queue.saveAll(Array.from({ length: count }, job));
      if (errors.size > 0) throw new Error('a job was not saved');
    },
    work(concurrency, { started, ended }) {
      worker = new BeeQueue(QUEUE, { ...settings, removeOnSuccess: true });
      worker.on('succeeded', () => ended());
      worker.process(concurrency, async () => started());
    },
    async close() {
      await worker?.close(1_000);
      await queue.close(1_000);
    },
  };
}
