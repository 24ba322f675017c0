// Fastify alone: checks and answers as Fairlane does, from the same schemas, and stores nothing. What HTTP allows.
import { randomUUID } from 'node:crypto';
import { createService, viewOf } from './fastify-service.mjs';

const sample = viewOf({ key: 'sample', type: 'noop', payload: { text: 'x'.repeat(139) } });

await createService({
  submit: async (task) => viewOf({ ...task, key: randomUUID() }),
  submitMany: async (tasks) => tasks.map((task) => viewOf({ ...task, key: randomUUID() })),
  get: async () => sample,
});
