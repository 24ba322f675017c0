import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { QueueError, type ErrorCode } from '@app/queue';
import { PROBLEMS, type ProblemCode } from '../../apps/api/src/http/problem.js';
import { Sockets } from '../../apps/api/src/socket/sockets.js';
import { filled } from './any-request.js';
import { bodiesOf, operations, problemsOf } from './operations.js';
import { openFullStore, REFUSED_TASKS } from './refused.js';
import { brokenQueue, startApi } from './support.js';

/*
 * Every refusal that the API's document names, at every route that it names it for: each is brought about, is answered as
 * documented, and has changed nothing. A code that is documented anew has no way here, and fails until it has one.
 */

type Operation = (typeof operations)[number];

/** How a request differs from the one that the document has as its example. */
interface Attempt {
  /** Where it is sent. Default: to an API that refuses nothing by its settings. */
  at?: string;
  /** Instead of the examples in the path. */
  names?: Record<string, string>;
  query?: string;
  headers?: Record<string, string | number>;
  body?: string | object;
  /** The rest of the body does not come. */
  isHalf?: boolean;
}

/** What is documented of every route, and cannot happen to those that ask no store. */
const STORE_TROUBLE = new Set(['internal', 'store-unavailable', 'capability-not-supported']);
const ASK_NO_STORE = new Set(['getInfo', 'getMetrics', 'openSocket']);

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': 13,
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

let store: Awaited<ReturnType<typeof openFullStore>>;
/** The addresses of other APIs over the same store, by what is special about them. */
let others: Record<'locked' | 'hasty' | 'crowded' | 'closing', string>;

beforeAll(async () => {
  store = await openFullStore();
  const another = async (settings: object) => (await startApi(store.queue, settings)).url;
  const closing = await startApi(store.queue);
  closing.app.get(Sockets).onModuleDestroy();
  others = {
    locked: await another({ apiKeys: ['0123456789abcdef'] }),
    hasty: await another({ requestTimeoutMs: 100 }),
    crowded: await another({ followersMax: 0, socketsMax: 0 }),
    closing: closing.url,
  };
});
afterAll(() => store.cleanup());

type Way = (operation: Operation) => readonly Attempt[] | Promise<Attempt[]>;

/** How to be refused with each code, in one way or in several. */
const WAYS: Partial<Record<ProblemCode, Way>> = {
  unauthorized: () => [
    { at: others.locked },
    { at: others.locked, headers: { authorization: 'Bearer 0123456789abcdeX' } },
  ],
  internal: failing('internal'),
  'store-unavailable': failing('store-unavailable'),
  'capability-not-supported': failing('capability-not-supported'),
  'store-full': failing('store-full'),
  'too-many-workers': failing('too-many-workers'),

  'malformed-body': () => ['{"a":', '{"__proto__":{}}', '"\ufeff'].map((body) => ({ body })),
  'unsupported-media-type': () => [{ headers: { 'content-type': 'text/plain' }, body: 'a' }],
  'request-timeout': () => [{ at: others.hasty, headers: { 'content-length': 100 }, isHalf: true }],
  'payload-too-large': () => [{ headers: { 'content-length': 20_000_000 }, isHalf: true }],
  'malformed-header': ({ described }) =>
    described.operationId === 'openSocket'
      ? [{ headers: { ...UPGRADE, 'sec-websocket-version': 8 } }]
      : [{ headers: { 'idempotency-key': 'a b' } }],

  'invalid-request': ({ method, described }) => {
    const { parameters = [] } = described;
    const hasQuery = parameters.some((parameter) => parameter.in === 'query');
    const names = parameters.filter((parameter) => parameter.in === 'path' && parameter.name !== 'id');
    return [
      ...names.map(({ name }) => ({ names: { [name]: 'a b' } })),
      ...(hasQuery ? [{ query: 'colour=red' }] : []),
      ...(method === 'GET' ? [] : [{ body: { ...bodiesOf(described)[0], colour: 1 } }]),
    ];
  },
  'invalid-task-id': () => [{ names: { id: 'order-42' } }],
  'invalid-cursor': () => [{ query: 'cursor=a' }],
  'invalid-position': () => [{ query: 'lastEventId=a' }, { headers: { 'last-event-id': 'a' } }],

  'task-not-found': () => ['emails~nothing', 'nowhere~order-42'].map((id) => ({ names: { id } })),
  'queue-not-found': () => [{ names: { queue: 'nowhere' } }],
  'worker-not-found': () => [{ names: { workerId: 'nobody' } }],
  'lease-lost': ({ described }) => {
    const body = { ...bodiesOf(described)[0], leaseToken: 'another' };
    // Of one that runs, of one that waits and of one that has ended.
    return ['emails~order-42', 'emails~waiting', 'other~failed'].map((id) => ({ names: { id }, body }));
  },
  'wrong-state': ({ described: { operationId } }) => [
    { names: { id: operationId === 'cancelTask' ? 'other~failed' : 'emails~order-42' } },
  ],
  'queue-not-empty': ({ method }) => [method === 'PUT' ? { body: { mode: 'fifo' } } : {}],

  ...Object.fromEntries(
    Object.entries(REFUSED_TASKS).map(([code, { task, key }]) => [
      code,
      ({ path }: Operation) => [
        {
          headers: key === undefined ? undefined : { 'idempotency-key': key },
          body: path.endsWith('/batch') ? { tasks: [task] } : task,
        },
      ],
    ]),
  ),
  'batch-spans-queues': () => [{ body: { tasks: ['a', 'b'].map((queue) => ({ type: 'a', queue })) } }],

  'too-many-followers': () => [{ at: others.crowded }],
  'too-many-connections': () => [{ at: others.crowded, headers: UPGRADE }],
  'shutting-down': () => [{ at: others.closing, headers: UPGRADE }],
  'foreign-origin': () => [{ headers: { ...UPGRADE, origin: 'https://example.com' } }],
  'upgrade-required': () => [{}],
};

const documented = operations.flatMap((operation) =>
  Object.keys(operation.described.responses)
    .flatMap((status) => problemsOf(operation.described, status) as ProblemCode[])
    .filter((code) => !(STORE_TROUBLE.has(code) && ASK_NO_STORE.has(operation.described.operationId)))
    .map((code) => ({ operation, code })),
);
const codes = [...new Set(documented.map(({ code }) => code))];

test.each(codes)('%s is answered wherever it is documented, and nothing has changed', async (code) => {
  const refusal = { status: PROBLEMS[code].status, type: 'application/problem+json', code, tells: true };
  const before = await store.contents();
  await Promise.all(
    documented.map(async ({ operation, code: one }) => {
      if (one !== code) return;
      const { operationId } = operation.described;
      const attempts = (await WAYS[code]?.(operation)) ?? [];
      if (attempts.length === 0) throw new Error(`No way is known to have ${operationId} answer ${code}.`);
      const answers = await Promise.all(attempts.map((attempt) => answerTo(operation, attempt)));
      expect([operationId, ...answers]).toEqual([operationId, ...attempts.map(() => refusal)]);
    }),
  );
  expect(await store.contents()).toEqual(before);
});

/** Whatever the store is asked, it fails so. */
function failing(code: ErrorCode): Way {
  let address: Promise<string> | undefined;
  return async () => {
    const { queue } = brokenQueue(() => new QueueError(code, { cause: 'secret' }), store.queue);
    address ??= startApi(queue).then(({ url }) => url);
    return [{ at: await address }];
  };
}

async function answerTo({ method, path, described }: Operation, attempt: Attempt) {
  const { at = store.url, names = {}, query = '', isHalf = false } = attempt;
  const [example] = bodiesOf(described);
  const { body = example } = attempt;
  const segments = (described.parameters ?? [])
    .filter((parameter) => parameter.in === 'path')
    .map(({ name, schema }) => encodeURIComponent(names[name] ?? String(schema.example)));
  const bytes = typeof body === 'string' ? body : (JSON.stringify(body) ?? '');
  const sent = request(`${at}${filled(path, segments)}${query && `?${query}`}`, {
    method,
    headers: {
      ...((bytes || isHalf) && { 'content-type': 'application/json' }),
      'content-length': Buffer.byteLength(bytes),
      ...attempt.headers,
    },
    agent: false,
  });
  sent.on('error', () => undefined);
  if (isHalf) sent.write('{');
  else sent.end(bytes);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const { statusCode: status, headers } = answer;
  const type = headers['content-type']?.split(';')[0];
  const said = type === 'application/problem+json' ? await text(answer) : '{}';
  sent.destroy();
  const { code } = JSON.parse(said) as { code?: string };
  return { status, type, code, tells: tells(status!, headers) && !said.includes('secret') };
}

/** Whether it has the headers that go with its status. */
function tells(status: number, headers: IncomingHttpHeaders): boolean {
  if (status === 401) return headers['www-authenticate'] !== undefined;
  return (status !== 429 && status !== 503) || Number(headers['retry-after']) >= 1;
}
