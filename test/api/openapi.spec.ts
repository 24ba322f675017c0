import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { PUBLIC_ROUTES } from '../../apps/api/src/http/auth.js';
import { RouteTable } from '../../apps/api/src/http/route-table.js';
import { check } from '../../apps/api/src/http/validation.js';
import { QueueSettingsDto } from '../../apps/api/src/queues/queue-settings.dto.js';
import { SubmitTaskDto } from '../../apps/api/src/tasks/submit-task.dto.js';
import { REQUEST_ID } from './leasing.js';
import type { Parameter } from './operations.js';
import { closeApis, startApi } from './support.js';

const FILES = { '/openapi.json': 'docs/api/openapi.json', '/asyncapi.json': 'docs/api/asyncapi.json' };

afterEach(closeApis);

const getDocument = async () => {
  const { http } = await startApi();
  return (await http.get('/openapi.json').expect(200)).body as Document;
};

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, { properties?: Record<string, { description?: string; example?: unknown }> }>;
  };
}

interface Operation {
  operationId: string;
  summary: string;
  description: string;
  security?: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { examples?: Record<string, { value: unknown }> }> };
  responses: Record<string, { content?: Record<string, unknown> }>;
}

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

test.each(Object.entries(FILES))(
  'the committed %s is what the code says',
  async (path, file) => {
    const { http } = await startApi();
    const { text } = await http.get(path).expect(200);
    const fresh = await format(text, { ...(await resolveConfig(file)), parser: 'json' });
    if (process.env.UPDATE_DOCS) await writeFile(file, fresh);
    const committed = await readFile(file, 'utf8').catch(() => '');
    // Compared as a whole first: a diff of four thousand lines helps nobody.
    if (committed !== fresh) {
      throw new Error(`${file} is stale: npm run generate:docs, and commit it.`);
    }
  },
  30_000,
);

test('every route is documented and every documented operation is a route', async () => {
  const { app } = await startApi();
  const routes = new Set(
    app
      .get(RouteTable)
      .list()
      .filter((route) => !route.startsWith('HEAD ')),
  );
  const documented = operationsOf(await getDocument()).map(
    ({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
  );
  const itself = ['GET /openapi.json', 'GET /asyncapi.json', 'GET /docs', 'GET /docs/:file'];
  expect([...documented, ...itself].sort()).toEqual([...routes].sort());
});

test('every operation has an id of its own, a summary and a description', async () => {
  const operations = operationsOf(await getDocument()).map(({ operation }) => operation);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { operationId, summary, description } of operations) {
    expect([operationId, summary, description].every((text) => text?.length > 0)).toBe(true);
  }
});

test('every parameter has an example, but for places in lists', async () => {
  const without = operationsOf(await getDocument()).flatMap(
    ({ operation: { operationId, parameters = [] } }) =>
      parameters
        .filter(({ name, schema }) => name !== 'cursor' && schema.example === undefined)
        .map(({ name }) => `${operationId} ${name}`),
  );
  expect(without).toEqual([]);
});

test('every field of every schema is described', async () => {
  const { components } = await getDocument();
  const silent = Object.entries(components.schemas).flatMap(([name, { properties = {} }]) =>
    Object.entries(properties)
      .filter(([, { description }]) => !description)
      .map(([field]) => `${name}.${field}`),
  );
  expect(silent).toEqual([]);
});

test('every error response is a problem document, and only public routes need no key', async () => {
  for (const { path, operation } of operationsOf(await getDocument())) {
    if (PUBLIC_ROUTES.has(path)) {
      expect(operation.security).toEqual([]);
      continue;
    }
    expect(operation.security).toEqual([{ bearer: [] }]);
    const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
    expect(errors.map(([status]) => status)).toEqual(expect.arrayContaining(['401', '500', '503']));
    for (const [, { content }] of errors)
      expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
  }
});

test('the example of every field of a submission and of settings is accepted', async () => {
  const { components } = await getDocument();
  const exampleOf = (schema: string): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(components.schemas[schema]?.properties ?? {}).flatMap(([field, property]) =>
        'example' in property ? [[field, property.example]] : [],
      ),
    );
  const { runAt, ...task } = exampleOf('SubmitTaskDto');
  const retry = exampleOf('RetryDto');
  expect(check(SubmitTaskDto, { ...task, retry }).faults).toEqual([]);
  expect(check(SubmitTaskDto, { type: 'a', runAt }).faults).toEqual([]);
  const rate = exampleOf('RateDto');
  const tenants = { ...exampleOf('TenantSettingsDto'), rate };
  const { weights: _, ...priority } = exampleOf('PriorityPolicyDto');
  const settings = { ...exampleOf('QueueSettingsDto'), rate, tenants, priority };
  expect(check(QueueSettingsDto, settings).faults).toEqual([]);
});

test('the example of every body is accepted', async () => {
  const bodies = operationsOf(await getDocument()).flatMap(({ path, method, operation }) =>
    Object.values(operation.requestBody?.content['application/json']?.examples ?? {}).map(({ value }) => ({
      // A queue without tasks: the mode of others cannot change.
      path: path.replace('{queue}', 'empty').replace('{tenant}', 'acme').replace('{workerId}', 'w'),
      method,
      value,
    })),
  );
  expect(bodies).toHaveLength(32);
  for (const { path, method, value } of bodies) {
    const { url, queue } = await startApi();
    await queue.enqueue([{ type: 'a', queue: 'q', key: 'scheduled', delayMs: 60_000 }]);
    const isLeased = JSON.stringify(value).includes(REQUEST_ID);
    if (isLeased) await queue.enqueue([{ type: 'a', queue: 'emails', key: 'order-42' }]);
    await queue.lease({ queue: 'emails', workerId: 'w', max: 1, leaseMs: 30_000, requestId: REQUEST_ID });
    await queue.pause('empty');
    const id = isLeased ? 'emails~order-42' : 'q~scheduled';
    const headers = { 'content-type': 'application/json' };
    // There is nothing to wait for.
    const body = JSON.stringify(value).replace('"wait":"20s"', '"wait":0');
    const { status } = await fetch(url + path.replace('{id}', id), { method, headers, body });
    expect([method, path, value, status < 300]).toEqual([method, path, value, true]);
  }
}, 60_000);

test.each(Object.values(FILES))(
  'redocly finds no error in %s',
  async (file) => {
    const require = createRequire(import.meta.url);
    const redocly = require.resolve('@redocly/cli/bin/cli.js');
    const run = promisify(execFile)(
      process.execPath,
      [redocly, 'lint', '--config', 'docs/api/redocly.yaml', file],
      { env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
    );
    const { stderr } = await run.catch((error: Error & { stdout: string; stderr: string }) => {
      throw new Error(error.stdout + error.stderr);
    });
    expect(stderr).toContain('valid');
  },
  60_000,
);
