import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createLogger } from '@app/runtime';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { until } from '../support/until.js';
import { closeApis, startApi } from './support.js';

afterEach(closeApis);

/** Sends raw bytes and gives all that comes back until the other side closes. */
const exchange = (port: number, ...parts: string[]) =>
  new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (text: string) => (received += text));
    socket.on('close', () => resolve(received)).on('error', reject);
    for (const part of parts) socket.write(part);
  });

describe('a client that is slow', () => {
  test.each([
    ['a body', 'content-type: application/json\r\ncontent-length: 100\r\n\r\n{"type"'],
    ['a chunked body', 'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"typ\r\n'],
  ])('with %s is answered 408 and disconnected', async (_, rest) => {
    const { port } = await startApi(undefined, { requestTimeoutMs: 200 });
    const answer = await exchange(port, `POST /v1/tasks HTTP/1.1\r\nhost: x\r\n${rest}`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('urn:fairlane:problem:request-timeout');
  });

  test('with a streamed batch is disconnected once it pauses too long', async () => {
    const { port } = await startApi(undefined, { requestTimeoutMs: 200 });
    const head =
      'POST /v1/tasks/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n';
    const answer = await exchange(port, head, 'd\r\n{"type":"a"}\n\r\n');
    expect(answer).toContain('"status":"accepted"');
  });

  test('is not cut off while it waits for an answer', async () => {
    const { http, queue } = await startApi(undefined, { requestTimeoutMs: 200 });
    await queue.enqueue([{ type: 'a', key: '1' }]);
    await http.get('/v1/tasks/default~1?wait=1').expect(200);
    await http.post('/v1/tasks').set('Prefer', 'wait=1').send({ type: 'a' }).expect(202);
  });
});

describe('a client that goes on sending after it was answered', () => {
  /** Sends a head and then a byte of the body now and then, never ends by itself, and gives all that comes back. */
  const trickle = (port: number, head: string) =>
    new Promise<string>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      let received = '';
      socket.setEncoding('latin1').on('data', (text: string) => (received += text));
      socket.write(head);
      const timer = setInterval(() => socket.write('x'), 20);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        clearInterval(timer);
        resolve(received);
      });
    });

  test.each([
    ['without a key', 'POST /v1/tasks', 'content-type: application/json', 401],
    ['on a path there is not', 'POST /nowhere', 'authorization: Bearer key', 404],
    ['with a URL that cannot be read', 'POST /v1/tasks/%zz', 'authorization: Bearer key', 400],
    ['of another type', 'POST /v1/tasks', 'authorization: Bearer key\r\ncontent-type: text/plain', 415],
    ['to a route that reads no body', 'GET /v1/queues', 'authorization: Bearer key', 200],
  ])('%s has its answer and loses its connection', async (_, target, headers, status) => {
    const { port } = await startApi(undefined, { apiKeys: ['key'] });
    const head = `${target} HTTP/1.1\r\nhost: x\r\n${headers}\r\ncontent-length: 100000\r\n\r\n`;
    const answer = await trickle(port, head);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n');
  });

  test('a body that arrives whole keeps its connection', async () => {
    const { url } = await startApi();
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/tasks`, { method: 'POST', headers, body: '{"type":5}' });
    expect(answer.status).toBe(422);
    expect(answer.headers.get('connection')).toBe('keep-alive');
  });
});

describe('a client that leaves while it sends', () => {
  test('is no error of ours', async () => {
    const lines: string[] = [];
    const log = createLogger({
      name: 'api',
      level: 'debug',
      destination: { write: (line) => void lines.push(line) },
    });
    const { app, port } = await startApi(undefined, {}, { log });
    const received = once(app.getHttpServer(), 'request');
    const socket = connect(port, '127.0.0.1');
    socket.write(
      'POST /v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"type"',
    );
    await received;
    socket.destroy();
    await until(() => lines.join('').includes('the client left'));
    expect(lines.map((line) => (JSON.parse(line) as { level: unknown }).level)).not.toContain('error');
    expect(lines.join('')).not.toContain('request failed');
  });
});

describe('a request that is no HTTP', () => {
  test.each([
    ['is gibberish', 'hello\r\n\r\n', 400],
    ['has no host', 'GET /v1/stats HTTP/1.1\r\n\r\n', 400],
    [
      'has two lengths',
      'POST /v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      400,
    ],
    [
      'has a length and chunks',
      'POST /v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      400,
    ],
    ['has a header that is too large', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    [
      'has too many headers',
      `GET /v1/stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${'x: y\r\n'.repeat(200)}\r\n`,
      431,
    ],
    ['has the method TRACE', 'TRACE /v1/stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 405],
  ])('because it %s is refused with a status', async (_, text, status) => {
    const { port } = await startApi();
    expect(await exchange(port, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });
});

test('a request that waits, sent before the one ahead of it on the connection was answered, waits too', async () => {
  const signals: (AbortSignal | undefined)[] = [];
  class Watched extends MemoryQueue {
    override waitForEnd(...args: Parameters<MemoryQueue['waitForEnd']>) {
      signals.push(args[2]);
      return super.waitForEnd(...args);
    }
  }
  const { port, queue } = await startApi(new Watched());
  await queue.enqueue(['1', '2'].map((key) => ({ type: 'a', key })));
  const ask = (key: string, more = '') =>
    `GET /v1/tasks/default~${key}?wait=60 HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
  const answers = exchange(port, ask('1') + ask('2', 'connection: close\r\n'));
  await until(() => signals.length === 2);
  expect(signals.map((signal) => signal?.aborted)).toEqual([false, false]);
  await queue.cancel(['default~1', 'default~2']);
  expect((await answers).match(/"state":"cancelled"/g)).toHaveLength(2);
});

describe('shutting down', () => {
  test('answers waiting requests at once and closes their connections', async () => {
    const { app, url, queue } = await startApi();
    await queue.enqueue([{ type: 'a', key: '1' }]);
    const headers = { 'content-type': 'application/json', prefer: 'wait=60' };
    const parked = [
      fetch(`${url}/v1/tasks/default~1?wait=60`),
      fetch(`${url}/v1/tasks`, { method: 'POST', headers, body: '{"type":"a"}' }),
    ];
    while (
      (await queue.queues(1)).items.length === 0 ||
      (await queue.list({ queue: 'default', order: 'newest', limit: 5 })).items.length < 2
    )
      await delay(5);
    await delay(20);
    const closing = app.close();
    const answers = await Promise.all(parked);
    expect(answers.map(({ status }) => status)).toEqual([200, 202]);
    expect(answers.map((answer) => answer.headers.get('connection'))).toEqual(['close', 'close']);
    await closing;
  });

  test('lets requests in flight end, and takes no new ones', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    class Slow extends MemoryQueue {
      override async enqueue(...args: Parameters<MemoryQueue['enqueue']>) {
        entered();
        await gate;
        return super.enqueue(...args);
      }
    }
    let entered!: () => void;
    const inFlight = new Promise<void>((resolve) => (entered = resolve));
    const { app, url } = await startApi(new Slow());
    const answer = fetch(`${url}/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"type":"a"}',
    });
    await inFlight;
    const closing = app.close();
    await delay(50);
    await expect(fetch(`${url}/health/live`)).rejects.toThrow();
    release();
    expect((await answer).status).toBe(202);
    await closing;
  });
});
