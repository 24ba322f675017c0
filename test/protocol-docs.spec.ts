import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { LIMITS, TASK_STATES } from '@app/queue';
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from '../apps/api/src/http/body-limits.js';
import { JSON_DEPTH_MAX } from '../apps/api/src/http/json-limits.js';
import { PROBLEMS, type ProblemCode } from '../apps/api/src/http/problem.js';
import { WAIT_SECONDS_MAX } from '../apps/api/src/http/wait.js';
import { CLOSE_CODES } from '../apps/api/src/socket/close-codes.js';
import { root } from '../tools/lib/root.mjs';

/*
 * What a stranger writes a worker from says what the code does, as far as a machine can tell.
 */

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const page = read('docs/worker-protocol.md');
const { paths, components } = JSON.parse(read('docs/api/openapi.json')) as Document;

test('the protocol page names every problem that a worker can be answered with, under its status', () => {
  const ofWorkers = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method, { tags }]) => tags?.includes('leases') || isOwn(path, method))
      .map(([, operation]) => operation),
  );
  const possible = ofWorkers.flatMap(({ responses }) =>
    Object.values(responses).flatMap(({ content }) =>
      Object.keys(content?.['application/problem+json']?.examples ?? {}),
    ),
  );
  expect(possible).toContain('lease-lost');
  expect(possible).toContain('too-many-workers');
  const named = rows('Errors').flatMap(([cell]) =>
    [...cell!.matchAll(/(\d{3}) ((?:`[a-z-]+`(?:, )?)+)/g)].flatMap(([, status, codes]) =>
      [...codes!.matchAll(/`([a-z-]+)`/g)].map(([, code]) => [code!, Number(status)] as const),
    ),
  );
  const statuses = Object.fromEntries(named);
  expect([...new Set(possible)].filter((code) => !(code in statuses))).toEqual([]);
  for (const [code, status] of named) {
    expect([code, status]).toEqual([code, PROBLEMS[code as ProblemCode].status]);
  }
});

test('the protocol page has every state of a task, and no other', () => {
  expect(
    rows('States')
      .flatMap(([cell]) => words(cell!))
      .sort(),
  ).toEqual([...TASK_STATES].sort());
});

test.each([
  ['Taking tasks', 'LeaseDto'],
  ['While it runs', 'HeartbeatDto'],
])('the table under "%s" has the fields of %s, and no other', (section, schema) => {
  expect(rows(section).map(([cell]) => words(cell!)[0])).toEqual(expect.arrayContaining(fieldsOf(schema)));
  expect(rows(section)).toHaveLength(fieldsOf(schema).length);
});

test('the protocol page shows how each action settles, with its fields', () => {
  const shown = rows('Settling').map(([request, fields]) => [
    /\/(\w+)`$/.exec(request!)![1]!,
    words(fields!.replace(/`\{.*?\}`/, '')),
  ]);
  const fields = (schema: string) =>
    fieldsOf(schema).filter((name) => !['leaseToken', 'logs'].includes(name));
  expect(Object.fromEntries(shown)).toEqual({
    complete: fields('CompleteTaskDto'),
    fail: fields('FailTaskDto'),
    release: fields('ReleaseTaskDto'),
  });
});

test('the bodies that the protocol page shows have fields that there are', () => {
  const shown = [...page.matchAll(/```json\n([^]*?)```/g)].map(([, text]) => JSON.parse(text!) as Body);
  const [lease, heartbeats, settle, registration] = shown;
  expect(shown).toHaveLength(4);
  for (const [body, schema] of [
    [lease, 'LeaseView'],
    [lease!.items![0], 'LeasedTaskView'],
    [heartbeats, 'HeartbeatsDto'],
    [heartbeats!.leases![0], 'HeldLeaseDto'],
    [settle, 'SettleDto'],
    [settle!.settlements![0], 'SettlementDto'],
    [settle!.next, 'NextLeaseDto'],
    [registration, 'RegisterWorkerDto'],
  ] as const) {
    expect(fieldsOf(schema)).toEqual(expect.arrayContaining(Object.keys(body!)));
  }
  expect(Object.keys(registration!).sort()).toEqual(fieldsOf('RegisterWorkerDto').sort());
});

test.each([
  `nested at most ${JSON_DEPTH_MAX} levels deep`,
  `At most this many tasks, up to ${count(LIMITS.leaseTasksMax)}.`,
  `${time(LIMITS.leaseMsMin)} to ${time(LIMITS.leaseMsMax)}, default ${time(LIMITS.leaseMsDefault)}`,
  `where nothing may start: up to ${WAIT_SECONDS_MAX} s`,
  `Up to ${LIMITS.leaseTenantsMax} tenants`,
  `Any JSON up to ${bytes(LIMITS.progressBytesMax)}, shown as`,
  `each cut at ${count(LIMITS.logLineCharsMax)} characters, the latest ${count(LIMITS.logLinesKept)} of a task kept`,
  `any JSON up to ${bytes(LIMITS.resultBytesMax)} `,
  `\`retryIn\`, up to ${LIMITS.retryDelayMsMax / 86_400_000} days`,
  `\`retryAfter\`, up to ${time(LIMITS.retryAfterMsMax)}:`,
  `\`message\` at ${count(LIMITS.errorMessageCharsMax)} characters, \`code\` at ${LIMITS.errorCodeCharsMax}, \`details\` left out beyond ${bytes(LIMITS.errorBytesMax)} in all`,
  `of any queues, up to ${count(LIMITS.batchTasksMax)} leases`,
  `settles up to ${count(LIMITS.batchTasksMax)}, each on its own`,
  `may have ${bytes(BATCH_BODY_BYTES_MAX)}; that of any other request of a worker ${bytes(LIMITS.payloadBytesMax)} and ${bytes(BODY_BYTES_MAX - LIMITS.payloadBytesMax)}`,
  `\`ttl\` (${time(LIMITS.workerTtlMsMin)} to ${time(LIMITS.workerTtlMsMax)}, default ${time(LIMITS.workerTtlMsDefault)})`,
  `Up to ${LIMITS.workerQueuesMax} queues, ${LIMITS.workerTypesMax} types, ${LIMITS.workerLabelsMax} labels, ${bytes(LIMITS.workerBytesMax)} in all, and ${count(LIMITS.workersMax)} workers at once`,
  `When Redis was away for more than ${['five'][LIMITS.reapGapMs / 1_000 - 5]} seconds`,
  `after the ${['third'][LIMITS.crashesMax - 3]} one the task is \`failed\``,
])('the protocol page says: %s', (sentence) => {
  expect(page.replaceAll(/\s+/g, ' ')).toContain(sentence);
});

test('the page of the WebSocket has the codes with which the API closes one', () => {
  const shown = rows('Closing', read('docs/websocket.md')).map(([code]) => Number(code));
  // Those of RFC 6455: the client's own, and those for what is no message.
  const ofFrames = [1000, 1002, 1006, 1007, 1009];
  const ours = Object.values(CLOSE_CODES).map(([code]) => code);
  expect(new Set(shown)).toEqual(new Set([...ofFrames, ...ours]));
});

/** The rows of the first table in a section, without its head. */
function rows(section: string, text = page): string[][] {
  const body = text.split(`\n## ${section}\n`)[1]!.split('\n## ')[0]!;
  const lines = body.split('\n').filter((line) => line.startsWith('|'));
  const cells = lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return cells.slice(2);
}

function words(cell: string): string[] {
  return [...cell.matchAll(/`([A-Za-z]+)`/g)].map(([, word]) => word!);
}

function fieldsOf(schema: string): string[] {
  return Object.keys(components.schemas[schema]!.properties);
}

/** What a worker asks about itself, and not an operator about workers. */
function isOwn(path: string, method: string): boolean {
  return path === '/v1/workers/{workerId}' && ['put', 'delete'].includes(method);
}

function count(number: number): string {
  return number.toLocaleString('en');
}

function bytes(number: number): string {
  return number < 1024 * 1024 ? `${number / 1024} KiB` : `${number / 1024 / 1024} MiB`;
}

function time(ms: number): string {
  if (ms >= 3_600_000) return `${ms / 3_600_000} h`;
  return ms >= 60_000 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties: object }> };
}

interface Operation {
  tags?: string[];
  responses: Record<string, { content?: Record<string, { examples?: object }> }>;
}

interface Body {
  items?: object[];
  leases?: object[];
  settlements?: object[];
  next?: object;
}
