import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { createRedisQueue, type Queue } from '@app/queue';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { keyspaceOf } from '../support/keyspace.js';
import { ownRedis } from '../support/redis.js';
import { anyRequest, everyChange, filled, type AnyRequest } from './any-request.js';
import { closeApis, startApi } from './support.js';

/*
 * Whatever is sent, to whatever route: it is done, or it is refused as documented and has changed nothing.
 */

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 15);
/** What the lease tokens of the examples are derived from. */
const REQUEST_ID = 'Yb3kQ9x0T1uVw2Zp4RsA';
/** Said in the document's introduction, for any request. */
const ALWAYS = [
  'malformed-request',
  'route-not-found',
  'method-not-allowed',
  'request-timeout',
  'url-too-long',
  'headers-too-large',
];
/** Reads that write: the probe of a store is a real write. */
const WRITES = ['/health/ready'];

const { paths } = JSON.parse(readFileSync('docs/api/openapi.json', 'utf8')) as {
  paths: Record<string, Record<string, Described>>;
};

interface Described {
  parameters?: { name: string; in: string; example?: string | number }[];
  requestBody?: { content: Record<string, { examples?: Record<string, { value: unknown }> }> };
  responses: Record<string, { content?: Record<string, { examples?: Record<string, unknown> }> }>;
}

const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => ({ method: method.toUpperCase(), path, described })),
);

let redis: Awaited<ReturnType<typeof ownRedis>>;
let client: Redis;
let queue: Queue;
let port: number;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  redis = await ownRedis({ appendfsync: 'everysec' });
  client = new Redis(redis.url);
  queue = createRedisQueue({ address: { url: redis.url } });
  await queue.open();
  ({ port } = await startApi(queue));
});
afterAll(async () => {
  agent.destroy();
  await closeApis();
  await queue.close();
  await client.quit();
  await redis.cleanup();
});

test.each(operations)(
  '$method $path',
  async ({ method, path, described }) => {
    await client.flushall();
    await fill();
    const { parameters = [], requestBody, responses } = described;
    const bodies = Object.values(requestBody?.content['application/json']?.examples ?? {}).map(({ value }) =>
      soon(value),
    );
    const operation = {
      method,
      path,
      parameters: parameters.map((one) => ({ ...one, example: one.example ?? 'acme' })),
      bodies,
    };
    let before = await keyspaceOf(client);
    const tryOut = async (sent: AnyRequest): Promise<void> => {
      const answer = await send(sent);
      const after = await keyspaceOf(client);
      const stood = before;
      before = after;
      if (answer.status >= 400) {
        expect(answer.type).toBe('application/problem+json');
        const problem = JSON.parse(answer.body) as { type: string; status: number; code: string };
        expect(problem).toMatchObject({
          status: answer.status,
          type: `urn:fairlane:problem:${problem.code}`,
        });
        const documented = responses[answer.status]?.content?.['application/problem+json']?.examples ?? {};
        expect([...Object.keys(documented), ...ALWAYS]).toContain(problem.code);
        expect(['internal', 'store-unavailable']).not.toContain(problem.code);
      }
      if (answer.status >= 400 || (method === 'GET' && !WRITES.includes(path))) expect(after).toEqual(stood);
    };

    const usual = {
      method,
      path: filled(
        path,
        operation.parameters.map(({ example }) => encodeURIComponent(String(example))),
      ),
      headers: { 'content-type': 'application/json' },
    };
    for (const body of everyChange(bodies)) await tryOut({ ...usual, body: JSON.stringify(body) });
    await fc.assert(fc.asyncProperty(anyRequest(operation), tryOut), { numRuns: RUNS });
  },
  60_000,
);

/** Something for each example to work on. */
async function fill(): Promise<void> {
  await queue.enqueue([
    {
      type: 'email.send',
      queue: 'emails',
      key: 'order-42',
      tenant: 'acme',
      payload: '{"to":"ada@example.com"}',
    },
  ]);
  await queue.lease({ queue: 'emails', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
  await queue.enqueue([
    { type: 'email.send', queue: 'emails', key: 'waiting', tenant: 'acme', orderingKey: 'a' },
    { type: 'email.send', queue: 'emails', key: 'scheduled', tenant: 'other', delayMs: 3_600_000 },
    { type: 'a', queue: 'other', key: 'failed' },
  ]);
  const { tasks } = await queue.lease({ queue: 'other', workerId: 'w', max: 1, leaseMs: 30_000 });
  const [{ id, leaseToken }] = tasks as [(typeof tasks)[number]];
  await queue.settle([{ id, leaseToken, action: 'fail', error: { message: 'no' }, retryable: false }]);
}

/** The example, without its wait. */
function soon(example: unknown): unknown {
  return JSON.parse(JSON.stringify(example).replaceAll(/"wait":"\d+s"/g, '"wait":0')) as unknown;
}

async function send({ method, path, headers, body }: AnyRequest) {
  // Node leaves it out where a method usually has no body.
  const framed = { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) };
  const sent = request({ port, host: '127.0.0.1', agent, method, path, headers: framed });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const type = answer.headers['content-type']?.split(';')[0] ?? '';
  const stream = type === 'text/event-stream';
  if (stream) answer.destroy();
  return { status: answer.statusCode!, type, body: stream ? '' : await textOf(answer) };
}
