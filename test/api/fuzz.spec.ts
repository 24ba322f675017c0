import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { createRedisQueue, type Queue } from '@app/queue';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { keyspaceOf } from '../support/keyspace.js';
import { ownRedis } from '../support/redis.js';
import { anyRequest, everyChange, filled, type AnyRequest } from './any-request.js';
import { bodiesOf, fill, operations, problemsOf } from './operations.js';
import { closeApis, startApi } from './support.js';

/*
 * Whatever is sent, to whatever route: it is done, or it is refused as documented and has changed nothing.
 */

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 15);
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
    await fill(queue);
    const { parameters = [] } = described;
    const bodies = bodiesOf(described);
    const operation = { method, path, parameters, bodies };
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
        expect([...problemsOf(described, answer.status), ...ALWAYS]).toContain(problem.code);
        expect(['internal', 'store-unavailable']).not.toContain(problem.code);
      }
      if (answer.status >= 400 || (method === 'GET' && !WRITES.includes(path))) expect(after).toEqual(stood);
    };

    const usual = {
      method,
      path: filled(
        path,
        parameters.map(({ schema }) => encodeURIComponent(String(schema.example))),
      ),
      headers: { 'content-type': 'application/json' },
    };
    for (const body of everyChange(bodies)) await tryOut({ ...usual, body: JSON.stringify(body) });
    await fc.assert(fc.asyncProperty(anyRequest(operation), tryOut), { numRuns: RUNS });
  },
  60_000,
);

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
