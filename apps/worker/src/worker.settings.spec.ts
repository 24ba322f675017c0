import { readFileSync } from 'node:fs';
import { ConfigError, readSettings } from '@app/runtime';
import { apiVariables, workerSettings } from './worker.settings.js';

const read = (env: Record<string, string>) => readSettings({ worker: workerSettings }, env).worker;

test('without any variable the worker serves the queues of its handlers, ten tasks at once', () => {
  expect(read({})).toEqual({
    queues: undefined,
    tenants: [],
    steal: true,
    concurrency: 10,
    leaseMs: 30_000,
    timeoutMs: 300_000,
    drainTimeoutMs: 25_000,
    labels: {},
    version: undefined,
    host: '127.0.0.1',
    port: 3001,
    httpRequestAllow: [],
  });
});

test.each([
  ['*', ['*']],
  ['emails, reports ,emails', ['emails', 'reports']],
])('WORKER_QUEUES=%s is %j', (text, queues) => {
  expect(read({ WORKER_QUEUES: text }).queues).toEqual(queues);
});

test.each([
  ['true', true],
  ['acme, globex,acme', ['acme', 'globex']],
  ['False', false],
])('WORKER_STEAL=%s is %j', (text, steal) => {
  const { tenants, ...rest } = read({ WORKER_TENANTS: 'own,second', WORKER_STEAL: text });
  expect([tenants, rest.steal]).toEqual([['own', 'second'], steal]);
});

test('a worker without tenants of its own may be bound to some, but not to none', () => {
  expect(read({ WORKER_STEAL: 'acme' })).toMatchObject({ tenants: [], steal: ['acme'] });
  const start = () => read({ WORKER_STEAL: 'false' });
  expect(start).toThrow(ConfigError);
  expect(start).toThrow('WORKER_STEAL=false needs WORKER_TENANTS');
});

test('WORKER_LABELS are names with values', () => {
  const { labels } = read({ WORKER_LABELS: 'gpu=a100, zone=eu,note=a=b' });
  expect(labels).toEqual({ gpu: 'a100', zone: 'eu', note: 'a=b' });
});

test('HTTP_REQUEST_ALLOW takes networks, addresses and names', () => {
  const text = '10.0.0.0/8,fd00::/8,::1,192.168.1.1,Intranet.example';
  expect(read({ HTTP_REQUEST_ALLOW: text }).httpRequestAllow).toEqual([
    '10.0.0.0/8',
    'fd00::/8',
    '::1',
    '192.168.1.1',
    'intranet.example',
  ]);
});

test.each([
  ['WORKER_QUEUES', 'a b'],
  ['WORKER_QUEUES', '*,emails'],
  ['WORKER_QUEUES', ','],
  ['WORKER_LABELS', 'gpu'],
  ['WORKER_LABELS', 'g p u=a100'],
  ['WORKER_LABELS', 'gpu=a100,gpu=h100'],
  ['WORKER_VERSION', 'x'.repeat(257)],
  ['WORKER_TENANTS', 'a b'],
  ['WORKER_TENANTS', ','],
  ['WORKER_TENANTS', Array.from({ length: 101 }, (_, n) => `t${n}`).join()],
  ['WORKER_STEAL', '~'],
  ['WORKER_CONCURRENCY', '0'],
  ['WORKER_CONCURRENCY', '1001'],
  ['WORKER_LEASE', '10ms'],
  ['WORKER_PORT', 'http'],
  ['HTTP_REQUEST_ALLOW', '10.0.0.0/33'],
  ['HTTP_REQUEST_ALLOW', 'http://host'],
  ['WORKER_CONCURENCY', '5'],
])('%s=%s stops the process, naming variable and value or what was meant', (name, text) => {
  const start = () => read({ [name]: text });
  expect(start).toThrow(ConfigError);
  expect(start).toThrow(name);
});

test('every variable that only the API knows may be there', () => {
  const source = readFileSync(new URL('../../api/src/api.settings.ts', import.meta.url), 'utf8');
  const names = [...source.matchAll(/env: '(FAIRLANE_\w+)'/g)].map(([, name]) => name);
  expect(new Set(apiVariables)).toEqual(new Set(names));
});
