import fc from 'fast-check';
import { PROBLEMS } from '../../apps/api/src/http/problem.js';
import { MessageTypes } from '../../apps/api/src/socket/message-types.js';
import { cutSockets, openSocket, type SocketMessage } from '../support/socket.js';
import { openFullStore } from './refused.js';
import { closeApis, countStored, startApi } from './support.js';

afterEach(cutSockets);
afterEach(closeApis);

/** What a field is mutated to. */
const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('', ' ', '~', 'a~b', '__proto__', 'constructor', '\u0000', '\ud800', 'x'.repeat(5_000)),
  fc.constantFrom(0, -1, 1e308, 2 ** 53, 0.5, null, [], {}, [[]], [null]),
);

/** Replaces, removes or adds a value at some place. */
const mutate = (value: unknown, steps: readonly number[], to: unknown, kind: string): unknown => {
  if (typeof value !== 'object' || value === null || steps.length === 0) return to;
  const keys = Object.keys(value);
  const key = keys[steps[0]! % Math.max(keys.length, 1)];
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  if (key === undefined || (steps.length === 1 && kind === 'add')) copy['x'] = to;
  else if (steps.length === 1 && kind === 'remove') delete copy[key];
  else copy[key] = mutate(copy[key], steps.slice(1), to, kind);
  return copy;
};

test('a mutated message is answered, or closes its connection with a code that is documented', async () => {
  const { app, url, queue } = await startApi();
  const valid = app
    .get(MessageTypes)
    .all.map(({ type, example }) => ({ type, requestId: 'r', body: example.body }));
  let client = await openSocket(url);
  const answers: SocketMessage[] = [];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...valid),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
      anyValue,
      fc.constantFrom('replace', 'remove', 'add'),
      async (message, steps, to, kind) => {
        const before = await countStored(queue);
        if (client.ws.readyState !== client.ws.OPEN) client = await openSocket(url);
        client.ws.send(JSON.stringify(mutate(message, steps, to, kind)));
        // Whatever became of it, the connection goes on. An answer that comes later is to something that waits.
        const pong = await client.ask('get', { id: 'q~nobody' });
        expect(pong.body).toMatchObject({ code: 'task-not-found' });
        const heard = client.heard.splice(0).filter(({ type }) => type !== 'assigned');
        answers.push(...heard);
        for (const { type, body } of heard.filter((one) => one.type === 'problem')) {
          expect(Object.keys(PROBLEMS)).toContain(body['code']);
          expect([type, body['status']]).not.toEqual(['problem', 500]);
        }
        const stored = heard.some(({ type }) => type.startsWith('submitted'));
        if (!stored && message.type.startsWith('submit') && heard.length > 0) {
          expect(await countStored(queue)).toBe(before);
        }
      },
    ),
    { numRuns: 1_500 },
  );
  // The mutations hit both.
  expect(answers.filter(({ type }) => type === 'problem').length).toBeGreaterThan(500);
  expect(answers.filter(({ type }) => type !== 'problem').length).toBeGreaterThan(50);
}, 60_000);

test('a mutated message that is refused has changed nothing that is stored', async () => {
  const store = await openFullStore();
  try {
    const { app } = await startApi(store.queue);
    // Once a worker has registered, the signs of life that the process gives for it are stored at any time. `get` waits.
    const messages = app.get(MessageTypes).all.filter(({ type }) => !['register', 'get'].includes(type));
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...messages),
        fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }),
        anyValue,
        fc.constantFrom('replace', 'remove', 'add'),
        async ({ type, example, answer }, steps, to, kind) => {
          const client = await openSocket(store.url);
          const before = await store.contents();
          client.ws.send(
            JSON.stringify({ type, requestId: 'r', body: mutate(example.body, steps, to, kind) }),
          );
          const heard = await Promise.race([client.next('problem'), client.next(answer.type)]);
          client.cut();
          if (heard.type !== 'problem') return;
          refused += 1;
          expect(await store.contents()).toEqual(before);
        },
      ),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(100);
  } finally {
    await store.cleanup();
  }
}, 60_000);

test('text and bytes of any kind close a connection with a documented code, or are refused', async () => {
  const { url, queue } = await startApi();
  const codes = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.string(), fc.json(), fc.uint8Array({ maxLength: 50 })),
      fc.boolean(),
      async (data, binary) => {
        const client = await openSocket(url);
        client.ws.send(typeof data === 'string' ? data : Buffer.from(data), { binary });
        const end = await Promise.race([client.closed, client.next('problem')]);
        if (typeof end === 'number') codes.add(end);
        else expect(['malformed-body', 'malformed-message']).toContain(end.body['code']);
        client.cut();
      },
    ),
    { numRuns: 200 },
  );
  expect([...codes].every((code) => [1003, 1007].includes(code))).toBe(true);
  expect(await countStored(queue)).toBe(0);
}, 60_000);

test('bytes that are no frames close a connection, and the process goes on', async () => {
  const { url } = await startApi();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 2, maxLength: 100 }), async (bytes) => {
      const client = await openSocket(url);
      const { _socket: socket } = client.ws as unknown as { _socket: NodeJS.WritableStream };
      socket.end(Buffer.from(bytes));
      expect([1000, 1002, 1003, 1005, 1006, 1007, 1009]).toContain(await client.closed);
    }),
    { numRuns: 200 },
  );
  expect(await (await openSocket(url)).ask('submit', { type: 'a' })).toMatchObject({ type: 'submitted' });
}, 60_000);
