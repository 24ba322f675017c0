import { connect } from 'node:net';
import { createHealthServer, type HealthServer, type HealthServerOptions } from './health-server.js';
import { createLogger } from './log.js';

let server: HealthServer | undefined;

const start = async (options: Partial<HealthServerOptions> = {}): Promise<string> => {
  server = createHealthServer({ ready: [], ...options });
  return `http://127.0.0.1:${await server.listen(0, '127.0.0.1')}`;
};

afterEach(async () => {
  await server?.close();
  server = undefined;
});

test('readiness is 200 or 503 with the report as JSON', async () => {
  let ok = true;
  const base = await start({ ready: [{ name: 'redis', check: async () => ({ ok }) }] });
  const good = await fetch(`${base}/health/ready?verbose`);
  ok = false;
  const bad = await fetch(`${base}/health/ready`);
  expect([good.status, bad.status]).toEqual([200, 503]);
  expect(await bad.json()).toMatchObject({
    status: 'unavailable',
    checks: { redis: { status: 'unavailable' } },
  });
});

test('a process that is not ready is still alive', async () => {
  const base = await start({ ready: [{ name: 'redis', check: async () => ({ ok: false }) }] });
  expect((await fetch(`${base}/health/live`)).status).toBe(200);
});

test('metrics are served with their own content type', async () => {
  const base = await start({
    metrics: { contentType: 'text/plain; version=0.0.4', render: async () => 'x 1\n' },
  });
  const response = await fetch(`${base}/metrics`);
  expect([response.headers.get('content-type'), await response.text()]).toEqual([
    'text/plain; version=0.0.4',
    'x 1\n',
  ]);
});

test.each([
  ['GET', '/metrics', 404],
  ['GET', '/', 404],
  ['POST', '/health/live', 405],
])('%s %s is a problem with status %i', async (method, path, status) => {
  const base = await start();
  const response = await fetch(base + path, { method });
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({ status });
});

test('HEAD has the headers without the body', async () => {
  const base = await start();
  const response = await fetch(`${base}/health/live`, { method: 'HEAD' });
  expect([response.status, await response.text()]).toEqual([200, '']);
});

test('an answer that cannot be produced is logged and is a problem without the reason', async () => {
  const lines: string[] = [];
  const log = createLogger({ name: 'worker', destination: { write: (line) => void lines.push(line) } });
  const base = await start({
    log,
    metrics: { contentType: 'text/plain', render: () => Promise.reject(new Error('hunter2')) },
  });
  const response = await fetch(`${base}/metrics`);
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('hunter2');
  expect(lines[0]).toContain('health answer failed');
});

test('a port that is taken rejects', async () => {
  const base = await start();
  const second = createHealthServer({ ready: [] });
  await expect(second.listen(Number(new URL(base).port), '127.0.0.1')).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await second.close();
});

test('closing drops connections that never sent a request', async () => {
  const base = await start();
  const socket = connect(Number(new URL(base).port), '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  await server!.close();
  await closed;
});
