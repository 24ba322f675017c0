import { QueueError, type ErrorCode } from '@app/queue';
import { PROBLEMS, type ProblemCode } from '../../apps/api/src/http/problem.js';
import type { MessageType } from '../../apps/api/src/socket/message-type.js';
import { MessageTypes } from '../../apps/api/src/socket/message-types.js';
import { cutSockets, openSocket, type SocketClient } from '../support/socket.js';
import { openFullStore, REFUSED_TASKS } from './refused.js';
import { brokenQueue, startApi } from './support.js';

/*
 * Every refusal that is documented of a message: each is brought about, is answered as documented, has changed nothing and
 * leaves the connection open. A message or a code that is new fails here until there is a way to have it refused.
 */

/** What any message can be refused with. */
const OF_ANY: readonly ProblemCode[] = [
  'malformed-body',
  'malformed-message',
  'invalid-request',
  'payload-too-large',
  'internal',
  'store-unavailable',
  'capability-not-supported',
];
/** These ask no store before they are answered, so nothing can be wrong with it. */
const STORE_TROUBLE = new Set(['internal', 'store-unavailable', 'capability-not-supported']);
const ASK_NO_STORE = new Set(['credit', 'unfollow']);

interface Attempt {
  /** Default: an API that refuses nothing by its settings. */
  at?: string;
  /** What the connection is used for before. */
  before?: (client: SocketClient) => Promise<unknown>;
  /** Default: that of the message's example. */
  body?: object;
  /** Sent instead of a message with that body. */
  text?: string;
}

type Way = (message: MessageType) => readonly Attempt[] | Promise<readonly Attempt[]>;

const big = 'x'.repeat(1_200_000);
const lease = { id: 'emails~order-42', leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42' };

let store: Awaited<ReturnType<typeof openFullStore>>;
let crowded: string;
let types: readonly MessageType[];

beforeAll(async () => {
  store = await openFullStore();
  const api = await startApi(store.queue, { followersMax: 0 });
  crowded = api.url;
  types = api.app.get(MessageTypes).all;
});
afterEach(cutSockets);
afterAll(() => store.cleanup());

/** How to be refused with each code, in one way or in several. */
const WAYS: Partial<Record<ProblemCode, Way>> = {
  'malformed-body': ({ type }) => [{ text: `{"type":"${type}","body":{"__proto__":{}}}` }],
  'malformed-message': ({ type }) => [
    { text: `{"type":"${type}","body":"a"}` },
    { text: `{"type":"${type}","body":{},"colour":1}` },
  ],
  'invalid-request': ({ example }) => [{ body: { ...example.body, colour: 1 } }],
  'payload-too-large': ({ type, example, bodyBytesMax }) => {
    // One that is longer than a batch may be closes the connection.
    if (bodyBytesMax !== undefined) return [{ body: TOO_LARGE[type] }];
    return [{ text: JSON.stringify({ type, body: example.body }) + ' '.repeat(big.length) }];
  },
  internal: failing('internal'),
  'store-unavailable': failing('store-unavailable'),
  'capability-not-supported': failing('capability-not-supported'),
  'store-full': failing('store-full'),
  'too-many-workers': failing('too-many-workers'),

  'task-not-found': ({ example }) =>
    ['emails~nothing', 'nowhere~order-42'].map((id) => ({ body: { ...example.body, id } })),
  'wrong-state': () => [{ body: { id: 'other~failed' } }],
  'invalid-position': ({ example }) => [{ body: { ...example.body, lastEventId: 'a' } }],
  'not-registered': () => [{}],
  'already-registered': ({ type, example }) => [{ before: (client) => client.ask(type, example.body) }],
  'too-many-followers': () => [{ at: crowded }],
  'too-many-waits': ({ type }) => [
    {
      before: async (client) => {
        const body = { id: 'emails~waiting', wait: 60 };
        if (type === 'get')
          Array.from({ length: 1_000 }, () => void client.ask('get', body).catch(() => undefined));
        else await Promise.all(Array.from({ length: 100 }, () => client.ask('follow', {})));
      },
    },
  ],

  ...Object.fromEntries(
    Object.entries(REFUSED_TASKS).map(([code, { task, key: idempotencyKey }]): [string, Way] => [
      code,
      ({ type }) => [
        {
          body: type === 'submit-batch' ? { tasks: [task], idempotencyKey } : { ...task, idempotencyKey },
        },
      ],
    ]),
  ),
  'batch-spans-queues': () => [{ body: { tasks: ['a', 'b'].map((queue) => ({ type: 'a', queue })) } }],
};

const TOO_LARGE: Readonly<Record<string, object>> = {
  'submit-batch': { tasks: [{ type: 'a' }, { type: 'a', payload: big }] },
  heartbeat: { leases: [{ ...lease, progress: big }], extend: '1h' },
  settle: { settlements: [{ ...lease, action: 'complete', result: big }] },
};

test('each message is refused with each problem that is documented of it, and nothing has changed', async () => {
  for (const message of types) {
    for (const code of new Set([...OF_ANY, ...message.problems])) {
      if (STORE_TROUBLE.has(code) && ASK_NO_STORE.has(message.type)) continue;
      const attempts = (await WAYS[code]?.(message)) ?? [];
      if (attempts.length === 0) throw new Error(`No way is known to have ${message.type} answer ${code}.`);
      for (const attempt of attempts) {
        const told = await refusalOf(message, attempt);
        expect([message.type, told]).toEqual([message.type, { code, status: PROBLEMS[code].status }]);
      }
    }
  }
}, 60_000);

/** What the message is refused with. */
async function refusalOf({ type, example }: MessageType, attempt: Attempt) {
  const { at = store.url, before, body = example.body } = attempt;
  const client = await openSocket(at);
  await before?.(client);
  const contents = await store.contents();
  client.ws.send(attempt.text ?? JSON.stringify({ type, requestId: 'r', body }));
  const answer = await client.next('problem');
  expect([type, await store.contents()]).toEqual([type, contents]);
  expect(await client.ask('unfollow', { follow: 'x' })).toMatchObject({ type: 'unfollowed' });
  client.cut();
  const { code, status, retryAfterMs } = answer.body;
  if (status === 503) expect(retryAfterMs).toBeGreaterThanOrEqual(1_000);
  expect(JSON.stringify(answer)).not.toContain('secret');
  return { code, status };
}

/** Whatever the store is asked, it fails so. */
function failing(code: ErrorCode): Way {
  let address: Promise<string> | undefined;
  return async ({ example }) => {
    const { queue } = brokenQueue(() => new QueueError(code, { cause: 'secret' }), store.queue);
    address ??= startApi(queue).then(({ url }) => url);
    // Credit is for a registered worker, and none can be registered there.
    return [{ at: await address, body: { ...example.body, credit: undefined } }];
  };
}
