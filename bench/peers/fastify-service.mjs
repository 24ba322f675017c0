import { readFileSync } from 'node:fs';
import Fastify from 'fastify';
import { QUEUE } from '../lib/work.mjs';

const { schemas } = JSON.parse(
  readFileSync(new URL('../../docs/api/openapi.json', import.meta.url), 'utf8'),
).components;

/**
 * Fairlane's routes for submitting and reading, with Fairlane's own schemas for bodies and answers, compiled by Fastify.
 *
 * @param {object} store
 * @param {(task: object) => Promise<object>} store.submit
 * @param {(tasks: object[]) => Promise<object[]>} store.submitMany
 * @param {(id: string) => Promise<object>} store.get
 */
export async function createService({ submit, submitMany, get }) {
  const app = Fastify({ ajv: { customOptions: { strict: false, coerceTypes: false } } });
  for (const [name, schema] of Object.entries(schemas)) app.addSchema({ $id: name, ...localRefs(schema) });
  app.post(
    '/v1/tasks',
    { schema: { body: { $ref: 'SubmitTaskDto#' }, response: { 202: { $ref: 'TaskView#' } } } },
    async ({ body }, reply) => {
      reply.code(202);
      return submit(body);
    },
  );
  app.post(
    '/v1/tasks/batch',
    { schema: { body: { $ref: 'TaskBatchDto#' }, response: { 202: { $ref: 'TaskBatchView#' } } } },
    async ({ body }, reply) => {
      reply.code(202);
      const views = await submitMany(body.tasks);
      const items = views.map((view) => ({ status: 'accepted', task: { ...view, payload: undefined } }));
      return { items, accepted: items.length, replayed: 0, refused: 0 };
    },
  );
  app.get('/v1/tasks/:id', { schema: { response: { 200: { $ref: 'TaskView#' } } } }, async ({ params }) =>
    get(params.id),
  );
  app.get('/health/ready', async () => ({ ok: true }));
  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
}

/** The fields of an answer. */
export function viewOf({ key, type, payload }) {
  return {
    id: `${QUEUE}~${key}`,
    queue: QUEUE,
    type,
    state: 'pending',
    tenant: 'default',
    priority: 3,
    priorityName: 'normal',
    payload,
    attempt: 0,
    failures: 0,
    crashes: 0,
    errors: [],
    tags: [],
    metadata: {},
    createdAt: new Date().toISOString(),
    cancelRequested: false,
  };
}

/** The document names its schemas by their place in it. */
function localRefs(schema) {
  return JSON.parse(
    JSON.stringify(schema)
      .replaceAll('#/components/schemas/', '')
      .replaceAll(/("\$ref":"\w+)"/g, '$1#"'),
  );
}
