import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { check } from '../../apps/api/src/http/validation.js';
import { MessageTypes } from '../../apps/api/src/socket/message-types.js';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { cutSockets, openSocket, refusedSocket, type SocketClient } from '../support/socket.js';
import { closeApis, countStored, startApi, startApiOver, STORES, work } from './support.js';

afterEach(cutSockets);
afterEach(closeApis);

const KEY = '0123456789abcdef=/+';

const keyProtocol = (key: string) => `fairlane.key.${Buffer.from(key).toString('base64url')}`;

interface TaskBody {
  id: string;
  state: string;
  result?: unknown;
}

describe('opening a socket', () => {
  test.each<[string, object, string[]]>([
    ['no key', {}, []],
    ['a wrong key', { authorization: `Bearer ${KEY}x` }, []],
    ['a wrong key as a subprotocol', {}, ['fairlane.v1', keyProtocol(`${KEY}x`)]],
    ['an empty key as a subprotocol', {}, ['fairlane.v1', 'fairlane.key.']],
  ])('with %s is refused before it is opened', async (_, headers, protocols) => {
    const { url } = await startApi(undefined, { apiKeys: [KEY] });
    const {
      status,
      headers: answered,
      body,
    } = await refusedSocket(url, { headers: { ...headers } }, protocols);
    expect(status).toBe(401);
    expect(answered['www-authenticate']).toMatch(/^Bearer/);
    expect(body).toMatchObject({ code: 'unauthorized' });
  });

  test('with a key in the header or as a subprotocol, wherever the page is from, is accepted', async () => {
    const { url } = await startApi(undefined, { apiKeys: [KEY] });
    const byHeader = await openSocket(url, { headers: { authorization: `Bearer ${KEY}` } });
    const byProtocol = await openSocket(url, { origin: 'https://example.com' }, [
      'fairlane.v1',
      keyProtocol(KEY),
    ]);
    expect(byHeader.ws.protocol).toBe('');
    expect(byProtocol.ws.protocol).toBe('fairlane.v1');
    expect(await byProtocol.ask('submit', { type: 'a' })).toMatchObject({ type: 'submitted' });
  });

  test('a key that comes as a subprotocol opens nothing but sockets', async () => {
    const { http } = await startApi(undefined, { apiKeys: [KEY] });
    await http.get('/v1/tasks').set('sec-websocket-protocol', keyProtocol(KEY)).expect(401);
  });

  test('without keys, pages of other origins are refused', async () => {
    const { url, port } = await startApi();
    for (const origin of ['https://example.com', `http://127.0.0.1:${port + 1}`, 'null']) {
      expect(await refusedSocket(url, { origin })).toMatchObject({
        status: 403,
        body: { code: 'foreign-origin' },
      });
    }
    await openSocket(url, { origin: url });
  });

  test('is a matter of WebSockets: a plain request is answered 426, a bad handshake 400', async () => {
    const { http, url } = await startApi();
    const { body, headers } = await http.get('/v1/ws').expect(426);
    expect(body).toMatchObject({ code: 'upgrade-required' });
    expect(headers['upgrade']).toBe('websocket');
    expect(await refusedSocket(url, { protocolVersion: 8 })).toMatchObject({
      status: 400,
      body: { code: 'malformed-header' },
    });
  });

  test('more of them than may be are refused until one closes', async () => {
    const { url } = await startApi(undefined, { socketsMax: 2 });
    const [first] = [await openSocket(url), await openSocket(url)];
    const refused = await refusedSocket(url);
    expect(refused).toMatchObject({ status: 503, body: { code: 'too-many-connections' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    first.ws.close();
    await first.closed;
    await (await openSocket(url)).ask('submit', { type: 'a' });
  });
});

describe('an upgrade to something else', () => {
  /** Sends a request as text, and gives all that comes back until the other side closes. */
  const exchange = async (port: number, text: string) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (data: string) => (received += data));
    socket.write(text);
    await once(socket, 'close');
    return received;
  };
  const post = (headers: string, body: string) =>
    `POST /v1/tasks HTTP/1.1\r\nhost: x\r\n${headers}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const closing = 'GET /v1/queues HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

  test('is not taken up, and the request is answered as any other', async () => {
    const { port, queue } = await startApi();
    const h2c = 'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n';
    const answers = await exchange(port, post(h2c, '{"type":"a","queue":"q","id":"1"}') + closing);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 202', 'HTTP/1.1 200']);
    expect(await countStored(queue)).toBe(1);
  });

  test('asked of another resource as a WebSocket neither', async () => {
    const { port } = await startApi();
    const asking = 'connection: Upgrade\r\nupgrade: websocket\r\n';
    const answers = await exchange(port, `GET /v1/nowhere HTTP/1.1\r\nhost: x\r\n${asking}\r\n${closing}`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404', 'HTTP/1.1 200']);
  });
});

describe.each(STORES)('over %s', (store) => {
  const opened = async () => {
    const api = await startApiOver(store);
    return { ...api, client: await openSocket(api.url) };
  };

  test('submit stores a task as over HTTP, and a repeat replays it, over HTTP too', async () => {
    const { client, http, queue } = await opened();
    const task = {
      type: 'a',
      queue: 'q',
      payload: { n: [1, null] },
      priority: 'high',
      retry: { maxAttempts: 5 },
    };
    const first = await client.ask<{ task: TaskBody }>('submit', { ...task, idempotencyKey: 'k' });
    expect(first).toMatchObject({ type: 'submitted', requestId: '1', body: { status: 'accepted' } });
    const { id } = first.body.task;
    expect((await queue.get([id]))[0]).toMatchObject({ payload: '{"n":[1,null]}', priority: 4 });
    const again = await client.ask('submit', { ...task, idempotencyKey: 'k' });
    expect(again.body).toMatchObject({ status: 'replayed', task: { id } });
    const overHttp = await http.post('/v1/tasks').set('Idempotency-Key', 'k').send(task).expect(202);
    expect(overHttp.headers['idempotent-replayed']).toBe('true');
    const other = await client.ask('submit', { ...task, payload: 1, idempotencyKey: 'k' });
    expect(other).toMatchObject({ type: 'problem', body: { code: 'idempotency-mismatch', status: 422 } });
    expect(await countStored(queue)).toBe(1);
  });

  test('submit-batch stores all or none, or each on its own', async () => {
    const { client, queue } = await opened();
    const tasks = [
      { type: 'a', queue: 'q', id: '1' },
      { type: 'a', queue: 'q', id: '2', priority: 9 },
    ];
    const together = await client.ask('submit-batch', { tasks });
    expect(together).toMatchObject({
      type: 'problem',
      body: { code: 'invalid-request', errors: [{ pointer: '/tasks/1/priority' }] },
    });
    expect(await countStored(queue)).toBe(0);
    const apart = await client.ask('submit-batch', { tasks, atomic: false, idempotencyKey: 'k' });
    expect(apart).toMatchObject({ type: 'submitted-batch', body: { accepted: 1, refused: 1 } });
    const again = await client.ask('submit-batch', { tasks, atomic: false, idempotencyKey: 'k' });
    expect(again.body).toMatchObject({ accepted: 0, replayed: 1, refused: 1 });
    expect(await countStored(queue)).toBe(1);
  });

  test('get gives a task, or waits for its end while other messages are answered', async () => {
    const { client, queue } = await opened();
    await client.ask('submit', { type: 'a', queue: 'q', id: '1' });
    expect(await client.ask('get', { id: 'q~1' })).toMatchObject({
      type: 'task',
      body: { state: 'pending' },
    });
    const waits = Array.from({ length: 100 }, () => client.ask('get', { id: 'q~1', wait: 60 }));
    expect((await client.ask('get', { id: 'q~1' })).body).toMatchObject({ state: 'pending' });
    await work(queue, 'q', { action: 'complete', result: '5' });
    for (const { body } of await Promise.all(waits))
      expect(body).toMatchObject({ state: 'completed', result: 5 });
    expect(await client.ask('get', { id: 'q~2' })).toMatchObject({
      type: 'problem',
      body: { code: 'task-not-found', status: 404, taskId: 'q~2' },
    });
  });

  test('cancel ends what waits, and is refused for what has ended', async () => {
    const { client, queue } = await opened();
    await queue.enqueue([
      { type: 'a', queue: 'q', key: '1' },
      { type: 'a', queue: 'q', key: '2' },
    ]);
    expect(await client.ask('cancel', { id: 'q~1' })).toMatchObject({
      type: 'task',
      body: { state: 'cancelled' },
    });
    await work(queue, 'q');
    expect(await client.ask('cancel', { id: 'q~2' })).toMatchObject({
      body: { code: 'wrong-state', state: 'completed' },
    });
    expect((await queue.get(['q~1']))[0]).toMatchObject({ state: 'cancelled' });
  });
});

describe('a message', () => {
  const raw = async (client: SocketClient, text: string) => {
    client.ws.send(text);
    return client.next<{ code: string; detail?: string }>('problem');
  };

  test.each([
    ['is no JSON', '{"type":', 'malformed-body'],
    ['is empty', '', 'malformed-body'],
    [
      'is nested too deep',
      `{"type":"submit","body":{"type":"a","payload":${'['.repeat(70)}${']'.repeat(70)}}}`,
      'malformed-body',
    ],
    [
      'has a number that would change',
      '{"type":"submit","body":{"type":"a","payload":12345678901234567}}',
      'malformed-body',
    ],
    [
      'reaches into prototypes',
      '{"type":"submit","body":{"type":"a","payload":{"__proto__":{}}}}',
      'malformed-body',
    ],
    ['is a list', '[]', 'malformed-message'],
    ['has no type', '{"body":{}}', 'malformed-message'],
    ['has an unknown type', '{"type":"constructor","body":{}}', 'malformed-message'],
    ['has an unknown field', '{"type":"submit","body":{"type":"a"},"x":1}', 'malformed-message'],
    ['has a number as its id', '{"type":"submit","requestId":1,"body":{"type":"a"}}', 'malformed-message'],
    ['has a body that is text', '{"type":"submit","body":"a"}', 'malformed-message'],
    ['has no body', '{"type":"submit"}', 'malformed-body'],
    ['has an unknown field in its body', '{"type":"submit","body":{"type":"a","x":1}}', 'invalid-request'],
  ])('that %s is refused, changes nothing and leaves the connection open', async (_, text, code) => {
    const { url, queue } = await startApi();
    const client = await openSocket(url);
    expect((await raw(client, text)).body).toMatchObject({ code, detail: expect.any(String) });
    expect(await countStored(queue)).toBe(0);
    expect(await client.ask('submit', { type: 'a' })).toMatchObject({ type: 'submitted' });
  });

  test('that cannot be read is answered with its id as far as there is one', async () => {
    const { url } = await startApi();
    const client = await openSocket(url);
    expect(await raw(client, '{"type":"nothing","requestId":"r"}')).toMatchObject({ requestId: 'r' });
  });

  test('without an id is answered only where it is refused', async () => {
    const { url, queue } = await startApi();
    const client = await openSocket(url);
    client.ws.send('{"type":"submit","body":{"type":"a"}}');
    client.ws.send('{"type":"submit","body":{}}');
    expect(await client.next('problem')).toMatchObject({ body: { errors: [{ pointer: '/type' }] } });
    await client.ask('get', { id: 'q~1' });
    expect(client.heard).toEqual([]);
    expect(await countStored(queue)).toBe(1);
  });

  test('of one task that is as long as a batch is refused', async () => {
    const { url, queue } = await startApi();
    const client = await openSocket(url);
    const payload = 'x'.repeat(2 * 1024 * 1024);
    expect((await client.ask('submit', { type: 'a', payload })).body).toMatchObject({
      code: 'payload-too-large',
      status: 413,
    });
    expect(await countStored(queue)).toBe(0);
  });

  test.each([
    ['is binary', 1003, (ws: WebSocket) => ws.send(Buffer.from('{}'))],
    ['is longer than may be', 1009, (ws: WebSocket) => ws.send('x'.repeat(16 * 1024 * 1024 + 1))],
    ['is not UTF-8', 1007, (ws: WebSocket) => ws.send(Buffer.from([0xff, 0xfe]), { binary: false })],
  ])('that %s closes the connection with %i', async (_, code, send) => {
    const { url } = await startApi();
    const client = await openSocket(url);
    send(client.ws);
    expect(await client.closed).toBe(code);
  });

  test('while the store is away is answered with when to come back', async () => {
    const { url, queue } = await startApi();
    const { QueueError } = await import('@app/queue');
    queue.enqueue = () => Promise.reject(new QueueError('store-unavailable'));
    const client = await openSocket(url);
    const { body } = await client.ask<{ retryAfterMs: number }>('submit', { type: 'a' });
    expect(body).toMatchObject({ code: 'store-unavailable', status: 503 });
    expect(body.retryAfterMs).toBeGreaterThanOrEqual(1_000);
  });

  test('that breaks something of ours tells nothing about it', async () => {
    const { url, queue } = await startApi();
    queue.enqueue = () => Promise.reject(new Error('secret'));
    const client = await openSocket(url);
    const { body } = await client.ask('submit', { type: 'a' });
    expect(body).toMatchObject({ code: 'internal', status: 500 });
    expect(JSON.stringify(body)).not.toContain('secret');
  });
});

describe('a client', () => {
  test('that sends faster than it is answered is read no faster', async () => {
    let entered = 0;
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    class Slow extends MemoryQueue {
      override async enqueue(...args: Parameters<MemoryQueue['enqueue']>) {
        entered += 1;
        await gate;
        return super.enqueue(...args);
      }
    }
    const { url, queue } = await startApi(new Slow());
    const client = await openSocket(url);
    const payload = 'x'.repeat(100_000);
    const answers = Array.from({ length: 500 }, () => client.ask('submit', { type: 'a', payload }));
    while (entered < 32) await delay(5);
    await delay(100);
    expect(entered).toBe(32);
    // What is not read stays with its sender.
    expect(client.ws.bufferedAmount).toBeGreaterThan(10_000_000);
    release();
    await Promise.all(answers);
    expect(await countStored(queue)).toBe(500);
  });

  test('that does not read its answers is not read either, and cut in the end', async () => {
    const { url, queue } = await startApi(undefined, { socketPingMs: 200 });
    await queue.enqueue([
      { type: 'a', queue: 'q', key: '1', payload: JSON.stringify('x'.repeat(1_000_000)) },
    ]);
    let gets = 0;
    const get = queue.get.bind(queue);
    queue.get = (...args) => {
      gets += 1;
      return get(...args);
    };
    const client = await openSocket(url);
    client.ws.pause();
    for (let n = 0; n < 1_000; n++) client.ws.send('{"type":"get","requestId":"r","body":{"id":"q~1"}}');
    while (gets < 32) await delay(5);
    await delay(1_000);
    expect(gets).toBeLessThan(200);
    client.ws.resume();
    expect(await client.closed).toBe(1006);
  });

  test('that answers no ping is cut', async () => {
    const { url } = await startApi(undefined, { socketPingMs: 100 });
    const silent = await openSocket(url, { autoPong: false });
    const lively = await openSocket(url);
    expect(await silent.closed).toBe(1006);
    expect(await lively.ask('submit', { type: 'a' })).toMatchObject({ type: 'submitted' });
  });

  test('that leaves while it waits keeps nothing waiting', async () => {
    const { url, queue } = await startApi();
    await queue.enqueue([{ type: 'a', queue: 'q', key: '1' }]);
    const ended: Promise<unknown>[] = [];
    const wait = queue.waitForEnd.bind(queue);
    queue.waitForEnd = (...args) => {
      const waiting = wait(...args);
      ended.push(waiting);
      return waiting;
    };
    const client = await openSocket(url);
    client.ask('get', { id: 'q~1', wait: 60 }).catch(() => undefined);
    while (ended.length === 0) await delay(5);
    client.cut();
    await Promise.all(ended);
  });

  test('may not have more than a thousand messages wait', async () => {
    const { url, queue } = await startApi();
    await queue.enqueue([{ type: 'a', queue: 'q', key: '1' }]);
    const client = await openSocket(url);
    const waits = Array.from({ length: 1_001 }, () => client.ask('get', { id: 'q~1', wait: 60 }));
    expect(await Promise.race(waits)).toMatchObject({ body: { code: 'too-many-waits', status: 429 } });
    await work(queue, 'q');
    const types = (await Promise.all(waits)).map(({ type }) => type);
    expect(types.filter((type) => type === 'task')).toHaveLength(1_000);
  });
});

describe('shutting down', () => {
  test('answers what is under way and what waits, and closes with 1012', async () => {
    const { app, url, queue } = await startApi();
    const client = await openSocket(url);
    await client.ask('submit', { type: 'a', queue: 'q', id: '1' });
    const enqueue = queue.enqueue.bind(queue);
    let entered!: () => void;
    const inFlight = new Promise<void>((resolve) => (entered = resolve));
    queue.enqueue = async (...args) => {
      entered();
      await delay(50);
      return enqueue(...args);
    };
    const waiting = client.ask('get', { id: 'q~1', wait: 60 });
    const answer = client.ask('submit', { type: 'a', queue: 'q', id: '2' });
    await inFlight;
    const closing = app.close();
    expect(await waiting).toMatchObject({ type: 'task', body: { state: 'pending' } });
    expect(await answer).toMatchObject({ type: 'submitted' });
    expect(await client.closed).toBe(1012);
    await closing;
    expect(await countStored(queue)).toBe(2);
  });

  test('does not wait for a client that does not close', async () => {
    const { app, url } = await startApi();
    const client = await openSocket(url);
    client.ws.pause();
    await app.close();
    client.ws.resume();
    await client.closed;
  });
});

test('connections, messages and closes are counted', async () => {
  const { url, http } = await startApi();
  const client = await openSocket(url);
  const worker = await openSocket(url);
  await worker.ask('register', { workerId: 'w', queues: ['q'] });
  await client.ask('submit', { type: 'a' });
  await client.ask('submit', {});
  await client.ask('nothing');
  const { text } = await http.get('/metrics').expect(200);
  for (const line of [
    'fairlane_socket_connections{role="worker"} 1',
    'fairlane_socket_connections{role="client"} 1',
    'fairlane_socket_messages_total{message="submit",outcome="ok"} 1',
    'fairlane_socket_messages_total{message="submit",outcome="invalid-request"} 1',
    'fairlane_socket_messages_total{message="unknown",outcome="malformed-message"} 1',
  ])
    expect(text).toContain(line);
  client.ws.close(1000);
  await client.closed;
  worker.cut();
  await worker.closed;
  const closes = async () => (await http.get('/metrics')).text.match(/^fairlane_socket_closes_total.*$/gm);
  while ((await closes())?.length !== 2) await delay(5);
  expect(await closes()).toEqual([
    'fairlane_socket_closes_total{code="1000"} 1',
    'fairlane_socket_closes_total{code="1006"} 1',
  ]);
});

test('the example of every message is accepted, and every field of the document is described', async () => {
  const { app, http } = await startApi();
  for (const { dto, example } of app.get(MessageTypes).all)
    expect(check(dto, example.body).faults).toEqual([]);
  const { body } = await http.get('/asyncapi.json').expect(200);
  const { schemas } = body.components as {
    schemas: Record<string, { properties?: Record<string, { description?: string }> }>;
  };
  const silent = Object.entries(schemas).flatMap(([name, { properties = {} }]) =>
    Object.entries(properties)
      .filter(([, { description }]) => !description)
      .map(([field]) => `${name}.${field}`),
  );
  expect(silent).toEqual([]);
});
