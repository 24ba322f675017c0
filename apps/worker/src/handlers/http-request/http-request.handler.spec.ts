import 'reflect-metadata';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Agent } from 'undici';
import { InvalidPayload, type HandlerContext } from '@app/queue';
import { payloadParser } from '../payload.js';
import { AddressGuard } from './address-guard.js';
import { guardedAgent, type Resolve } from './guarded-agent.js';
import { HttpRequestPayload } from './http-request.dto.js';
import { HttpRequestHandler } from './http-request.handler.js';

const servers: Server[] = [];
const agents: Agent[] = [];

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const parse = payloadParser(HttpRequestPayload);

function send(
  payload: object,
  { allow = ['127.0.0.0/8'], resolve, signal = new AbortController().signal }: Options = {},
) {
  const agent = guardedAgent(new AddressGuard(allow), resolve);
  agents.push(agent);
  return new HttpRequestHandler(agent).run(parse(payload), { signal } as HandlerContext);
}
interface Options {
  allow?: string[];
  resolve?: Resolve;
  signal?: AbortSignal;
}

const resolveTo =
  (...addresses: string[]): Resolve =>
  (_host, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

describe('the response', () => {
  test('is the result, with a JSON body as a value', async () => {
    const url = await serve((request, response) => {
      response.writeHead(201, { 'content-type': 'application/json; charset=utf-8', 'x-a': 'b' });
      response.end(JSON.stringify({ method: request.method, agent: request.headers['user-agent'] }));
    });
    expect(await send({ url, method: 'POST' })).toMatchObject({
      status: 201,
      headers: { 'x-a': 'b' },
      body: { method: 'POST', agent: 'fairlane' },
    });
  });

  test.each<[string, string, Buffer | string, object]>([
    ['text', 'text/plain', 'hi', { body: 'hi' }],
    ['JSON that is none', 'application/json', '{', { body: '{' }],
    ['bytes', 'image/png', Buffer.from([0x89, 0xff, 0]), { body: 'if8A', encoding: 'base64' }],
    [
      'JSON nested too deep',
      'application/json',
      '['.repeat(50_000) + ']'.repeat(50_000),
      { body: expect.any(String) },
    ],
  ])('can be %s', async (_, type, body, expected) => {
    const url = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': type }).end(body),
    );
    expect(await send({ url })).toMatchObject(expected);
  });

  test('without a body has none', async () => {
    const url = await serve((_request, response) => response.writeHead(204).end());
    expect(await send({ url })).not.toHaveProperty('body');
  });

  test('is cut when it is too long, and never read to its end', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    });
    const { body, truncated } = await send({ url });
    expect([(body as string).length, truncated]).toEqual([256 * 1024, true]);
  });
});

describe('the request', () => {
  test('carries method, headers and body', async () => {
    const url = await serve((request, response) => {
      let body = '';
      request
        .on('data', (chunk) => (body += chunk))
        .on('end', () => {
          response.setHeader('content-type', 'application/json');
          response.end(
            JSON.stringify({ body, type: request.headers['content-type'], a: request.headers['x-a'] }),
          );
        });
    });
    expect((await send({ url, method: 'PUT', headers: { 'X-A': 'b' }, body: { n: 1 } })).body).toEqual({
      body: '{"n":1}',
      type: 'application/json',
      a: 'b',
    });
    expect((await send({ url, method: 'POST', body: 'plain' })).body).toEqual({ body: 'plain' });
  });

  test.each([
    [{}, '/url'],
    [{ url: 'file:///etc/passwd' }, '/url'],
    [{ url: 'gopher://example.com' }, '/url'],
    [{ url: 'ftp://example.com' }, '/url'],
    [{ url: 'http://user@example.com' }, '/url'],
    [{ url: 'http://user:pw@example.com' }, '/url'],
    [{ url: '/relative' }, '/url'],
    [{ url: 'http://[fe80::1%25lo]/' }, '/url'],
    [{ url: 5 }, '/url'],
    [{ url: 'http://a.example', method: 'CONNECT' }, '/method'],
    [{ url: 'http://a.example', method: 'get' }, '/method'],
    [{ url: 'http://a.example', headers: { Host: 'b' } }, '/headers'],
    [{ url: 'http://a.example', headers: { 'Transfer-Encoding': 'chunked' } }, '/headers'],
    [{ url: 'http://a.example', headers: { 'Content-Length': '1' } }, '/headers'],
    [{ url: 'http://a.example', headers: { 'x y': '1' } }, '/headers'],
    [{ url: 'http://a.example', headers: { x: 'a\r\nHost: b' } }, '/headers'],
    [{ url: 'http://a.example', headers: { x: 1 } }, '/headers'],
    [{ url: 'http://a.example', headers: 'x' }, '/headers'],
    [{ url: 'http://a.example', body: 'x' }, '/body'],
    [{ url: 'http://a.example', timeout: '1h' }, '/timeout'],
    [{ url: 'http://a.example', timeout: 0 }, '/timeout'],
    [{ url: 'http://a.example', redirect: true }, '/redirect'],
  ])('%j is not valid', (payload, pointer) => {
    let thrown: unknown;
    try {
      parse(payload);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidPayload);
    expect((thrown as InvalidPayload).details).toEqual(
      expect.arrayContaining([{ pointer, detail: expect.any(String) }]),
    );
  });

  test('ends at its timeout and may be tried again', async () => {
    const url = await serve(() => {});
    await expect(send({ url, timeout: '20ms' })).rejects.toMatchObject({ code: 'http-timeout' });
  });

  test('ends when its attempt is to stop', async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort(new Error('stopped')));
    await expect(send({ url }, { signal: stop.signal })).rejects.toThrow('stopped');
  });
});

describe('an answer', () => {
  const answer = (status: number, headers: Record<string, string> = {}) =>
    serve((_request, response) => response.writeHead(status, headers).end('why'));

  test.each([400, 401, 404, 410, 422])('of %i fails for good', async (status) => {
    await expect(send({ url: await answer(status) })).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'http-status',
      details: { status, body: 'why' },
    });
  });

  test.each([408, 425, 429, 500, 502, 503])('of %i may be tried again', async (status) => {
    await expect(send({ url: await answer(status) })).rejects.toMatchObject({
      name: 'Error',
      code: 'http-status',
      details: { status },
    });
  });

  test.each([
    ['7', 7_000],
    ['999999', 3_600_000],
  ])('with Retry-After: %s is tried again after %i ms', async (text, retryInMs) => {
    await expect(send({ url: await answer(429, { 'retry-after': text }) })).rejects.toMatchObject({
      name: 'RetryLater',
      retryInMs,
    });
  });

  test('with a date as Retry-After is tried again then', async () => {
    const at = new Date(Date.now() + 60_000).toUTCString();
    const thrown = await send({ url: await answer(503, { 'retry-after': at }) }).catch((error) => error);
    expect(thrown.retryInMs).toBeGreaterThan(50_000);
    expect(thrown.retryInMs).toBeLessThanOrEqual(60_000);
  });

  test('that redirects is the result: nothing follows it', async () => {
    let reached = false;
    const target = await serve((_request, response) => {
      reached = true;
      response.end();
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await answer(status, { location: target });
      expect(await send({ url })).toMatchObject({ status, headers: { location: target } });
    }
    expect(reached).toBe(false);
  });

  test('that never comes because nobody listens may be tried again', async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => servers.splice(0)[0]!.close(resolve));
    await expect(send({ url })).rejects.toMatchObject({
      code: 'network-error',
      details: { code: 'ECONNREFUSED' },
    });
  });
});

describe('an address that is not public', () => {
  const blocked = expect.objectContaining({ name: 'PermanentError', code: 'blocked-address' });
  let reached = false;
  let port: string;
  beforeEach(async () => {
    reached = false;
    const url = await serve((_request, response) => {
      reached = true;
      response.end();
    });
    port = new URL(url).port;
  });
  afterEach(() => expect(reached).toBe(false));

  test.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[fd00:ec2::254]',
    '169.254.169.254',
    '100.100.100.200',
    'localhost',
  ])('is refused when the URL says %s', async (host) => {
    await expect(send({ url: `http://${host}:${port}/` }, { allow: [] })).rejects.toEqual(blocked);
  });

  test.each(['a.example', 'localhost.'])('is refused when the name %s resolves to it', async (host) => {
    const sent = send({ url: `http://${host}:${port}/` }, { allow: [], resolve: resolveTo('127.0.0.1') });
    await expect(sent).rejects.toEqual(blocked);
  });

  test('is refused when it is one of several that a name resolves to', async () => {
    const resolve = resolveTo('93.184.216.34', '127.0.0.1');
    await expect(send({ url: `http://a.example:${port}/` }, { allow: [], resolve })).rejects.toEqual(blocked);
  });

  test('is refused over TLS, too', async () => {
    const resolve = resolveTo('::1');
    await expect(send({ url: `https://a.example:${port}/` }, { allow: [], resolve })).rejects.toEqual(
      blocked,
    );
  });
});

test('a name that is allowed is reached whatever it resolves to, once per connection', async () => {
  let asked = 0;
  const url = await serve((_request, response) => response.end('ok'));
  const resolve: Resolve = (host, done) => {
    asked++;
    resolveTo('127.0.0.1')(host, done);
  };
  const sent = send(
    { url: `http://intranet.example:${new URL(url).port}/` },
    { allow: ['intranet.example'], resolve },
  );
  expect(await sent).toMatchObject({ body: 'ok' });
  expect(asked).toBe(1);
});

test('a name that does not resolve may be tried again', async () => {
  const resolve: Resolve = (_host, done) => done(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []);
  await expect(send({ url: 'http://a.example/' }, { resolve })).rejects.toMatchObject({
    code: 'network-error',
    details: { code: 'ENOTFOUND' },
  });
});
