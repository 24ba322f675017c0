import { BeanstalkClient } from './beanstalk-client.mjs';
import { PAYLOAD_TEXT } from '../lib/work.mjs';

/** beanstalkd, which keeps everything in memory. It has no batches: those of others are commands sent together. */
export async function open({ port }) {
  const client = await BeanstalkClient.connect(port);
  let worker;
  let closing = false;
  return {
    async enqueue(count) {
      await Promise.all(Array.from({ length: count }, () => client.put(PAYLOAD_TEXT)));
    },
    async work(concurrency, { started, ended }) {
      worker = await BeanstalkClient.connect(port);
      while (!closing) {
        // Whatever stands behind a command that waits, waits too, so that only a lone one may.
        const polled = await Promise.all(Array.from({ length: concurrency }, () => worker.reserve(0)));
        const jobs = polled.filter((job) => job !== undefined);
        if (jobs.length === 0) jobs.push(await worker.reserve());
        for (const job of jobs) {
          if (!job) continue;
          started();
          void worker.delete(job.id).then(ended);
        }
      }
    },
    close() {
      closing = true;
      worker?.close();
      client.close();
    },
  };
}
