// Fastify in front of BullMQ: as fast as one gets who writes such a service by hand.
import { Queue } from 'bullmq';
import { ATTEMPTS, QUEUE } from '../lib/work.mjs';
import { createService, viewOf } from './fastify-service.mjs';

const queue = new Queue(QUEUE, {
  connection: { url: process.env.REDIS_URL },
  defaultJobOptions: { attempts: ATTEMPTS, removeOnComplete: { count: 1_000 } },
});
await queue.waitUntilReady();

await createService({
  async submit(task) {
    const job = await queue.add(task.type, task.payload);
    return viewOf({ ...task, key: job.id });
  },
  async submitMany(tasks) {
    const jobs = await queue.addBulk(tasks.map(({ type, payload }) => ({ name: type, data: payload })));
    return tasks.map((task, index) => viewOf({ ...task, key: jobs[index].id }));
  },
  async get(id) {
    const key = id.slice(QUEUE.length + 1);
    const job = await queue.getJob(key);
    const state = await job.getState();
    return { ...viewOf({ type: job.name, payload: job.data, key }), state };
  },
});
