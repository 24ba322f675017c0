import { readFileSync } from 'node:fs';
import type { Queue } from '@app/queue';
import { REQUEST_ID } from './leasing.js';

/* What the API's document says of each route, and a store in which its examples have something to work on. */

export interface Parameter {
  name: string;
  in: string;
  schema: { example?: unknown };
}

export interface Described {
  operationId: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { examples?: Record<string, { value: unknown }> }> };
  responses: Record<string, { content?: Record<string, { examples?: Record<string, unknown> }> }>;
}

const { paths } = JSON.parse(readFileSync('docs/api/openapi.json', 'utf8')) as {
  paths: Record<string, Record<string, Described>>;
};

export const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({ method: method.toUpperCase(), path, described })),
);

/** The codes of the problems that it says a status comes with. */
export function problemsOf({ responses }: Described, status: number | string): string[] {
  return Object.keys(responses[status]?.content?.['application/problem+json']?.examples ?? {});
}

/** Its examples of a JSON body, none of which waits. */
export function bodiesOf({ requestBody }: Described): object[] {
  const examples = requestBody?.content['application/json']?.examples ?? {};
  return Object.values(examples).map(
    ({ value }) => JSON.parse(JSON.stringify(value).replaceAll(/"wait":"\d+s"/g, '"wait":0')) as object,
  );
}

/** Something for each example to work on. */
export async function fill(queue: Queue): Promise<void> {
  await queue.register({ id: 'mailer-7f3a', queues: ['emails'] }, 3_600_000);
  const acme = { type: 'email.send', queue: 'emails', tenant: 'acme' };
  await queue.enqueue([{ ...acme, key: 'order-42', payload: '{"to":"ada@example.com"}' }]);
  const lease = { workerId: 'mailer-7f3a', max: 1, leaseMs: 3_600_000 };
  await queue.lease({ ...lease, queue: 'emails', requestId: REQUEST_ID });
  await queue.enqueue([
    { ...acme, key: 'waiting', orderingKey: 'a' },
    { ...acme, key: 'scheduled', tenant: 'other', delayMs: 3_600_000 },
    { type: 'a', queue: 'other', key: 'failed' },
  ]);
  const { tasks } = await queue.lease({ ...lease, queue: 'other' });
  const [{ id, leaseToken }] = tasks as [(typeof tasks)[number]];
  await queue.settle([{ id, leaseToken, action: 'fail', error: { message: 'no' }, retryable: false }]);
}
