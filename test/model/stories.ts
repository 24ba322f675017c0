import {
  type Priority,
  type PriorityPolicy,
  type QueueSettings,
  type Rate,
  RETENTION,
  type RetryPolicy,
  type TenantSettings,
  type WorkerRegistration,
} from '@app/queue';
import { retryPolicy } from '@app/queue/testing';
import fc from 'fast-check';
import type { ChangeChoice, QueueChoice, RequestChoice, SettlementChoice, Step, TaskChoice } from './step.js';
import { RETRY_AFTER_MS_MAX } from './time.js';

const DAY_MS = 86_400_000;

/** Mostly the first: what queues have to do with each other is little. */
const queue = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) });
const queueChoice: fc.Arbitrary<QueueChoice> = queue as fc.Arbitrary<QueueChoice>;
const worker = fc.nat({ max: 2 });
const tenant = fc.constantFrom('a', 'B', 'c');
const leaseMs = fc.constantFrom(1_000, 3_000, 10_000);
/** Counted from the latest backwards: recent ones are the interesting ones, old ones are zombies. */
const recent = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 3 }) },
  { weight: 2, arbitrary: fc.nat({ max: 40 }) },
);
const logs = fc.array(fc.constantFrom('line', 'two words', ''), { maxLength: 2 });

const retry: fc.Arbitrary<RetryPolicy> = fc.constantFrom(
  retryPolicy({ maxAttempts: 1 }),
  retryPolicy({ maxAttempts: 2, delayMs: 0 }),
  retryPolicy({ maxAttempts: 3, backoff: 'exponential', jitter: 'equal' }),
  retryPolicy({ maxAttempts: 3, backoff: 'linear', jitter: 'full', maxDelayMs: 1_500 }),
  retryPolicy({ maxAttempts: 4, backoff: [0, 5_000, 3] }),
);

const task: fc.Arbitrary<TaskChoice> = fc.record(
  {
    key: fc.constantFrom('k0', 'k1', 'k2', 'K3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9', '{k}', 'k:1'),
    queue: queueChoice,
    type: fc.constantFrom('one', 'two'),
    routed: fc.constantFrom(false, false, false, true),
    tenant: fc.oneof({ weight: 3, arbitrary: fc.constant('a') }, { weight: 4, arbitrary: tenant }),
    priority: fc.constantFrom<Priority>(3, 3, 3, 1, 6),
    retry,
  },
  { requiredKeys: ['key', 'queue'] },
);
const ordered: fc.Arbitrary<Partial<TaskChoice>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: fc.record({ orderingKey: fc.constantFrom('o', 'o', 'o:1') }) },
);
const when: fc.Arbitrary<Partial<TaskChoice>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.record({ delayMs: fc.constantFrom(0, 1, 1_000, 5_000, 60_000) }) },
  { weight: 1, arbitrary: fc.record({ runInMs: fc.constantFrom(-1_000, 0, 1, 1_000) }) },
);
const rest: fc.Arbitrary<Partial<TaskChoice>> = fc.oneof(
  { weight: 7, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: fc.record({ ttlMs: fc.constantFrom(1, 1_000, 5_000, 20_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      idempotency: fc.record({ key: fc.constantFrom('i', 'j'), fingerprint: fc.constantFrom('p', 'q') }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      payload: fc.constantFrom('{"n":1}', '"\u001f\\n"', '"ü"'),
      tags: fc.subarray(['x', 'y']),
      metadata: fc.constantFrom<Record<string, string>>({}, { m: '1' }, { m: '1', a: '' }),
      timeoutMs: fc.constant(500),
    }),
  },
);
const submission: fc.Arbitrary<TaskChoice> = fc
  .tuple(task, ordered, when, rest)
  .map((parts) => Object.assign({}, ...parts) as TaskChoice);
const plain: fc.Arbitrary<TaskChoice[]> = fc.array(
  fc
    .tuple(
      fc.record({
        key: fc.stringMatching(/^p[0-9a-f]{2}$/),
        tenant,
        priority: fc.constantFrom<Priority>(3, 3, 3, 1, 6),
      }),
      ordered,
    )
    .map(([first, second]) => ({ ...first, ...second })),
  { minLength: 1, maxLength: 6 },
);

const tenants = fc.constantFrom<string[]>(['a'], ['B', 'a'], ['c', 'a', 'c']);
const request: fc.Arbitrary<RequestChoice> = fc
  .tuple(
    fc.record({ queue: queueChoice, worker, max: fc.constantFrom(1, 1, 2, 3, 8, 0), leaseMs }),
    fc.oneof(
      { weight: 6, arbitrary: fc.constant({}) },
      {
        weight: 2,
        arbitrary: fc.record(
          { tenants, steal: fc.oneof(fc.boolean(), fc.constantFrom<string[]>(['c'], ['c', 'B'], [])) },
          { requiredKeys: ['tenants'] },
        ),
      },
      { weight: 1, arbitrary: fc.record({ steal: fc.oneof(fc.boolean(), tenants) }) },
    ),
  )
  .map(([first, second]) => ({ ...first, ...second }));

const settlement: fc.Arbitrary<SettlementChoice> = fc.oneof(
  fc.record({
    lease: recent,
    action: fc.constant('complete' as const),
    result: fc.option(fc.constant('{"ok":true}'), { nil: undefined }),
    logs: fc.option(logs, { nil: undefined }),
  }),
  fc.record(
    {
      lease: recent,
      action: fc.constant('fail' as const),
      error: fc.constantFrom({ message: 'It broke.' }, { message: 'ü', code: 'c', details: { a: [1] } }),
      retryable: fc.constantFrom(true, true, false),
      retryInMs: fc.constantFrom(0, 1, 1_000),
      defaultRetry: retry,
      logs,
    },
    { requiredKeys: ['lease', 'action', 'error'] },
  ),
  fc.record(
    {
      lease: recent,
      action: fc.constant('release' as const),
      retryAfterMs: fc.constantFrom(0, 1_000, RETRY_AFTER_MS_MAX),
    },
    { requiredKeys: ['lease', 'action'] },
  ),
);

const change: fc.Arbitrary<ChangeChoice> = fc.record(
  {
    task: recent,
    priority: fc.constantFrom<Priority>(1, 3, 6),
    runInMs: fc.constantFrom(-1, 0, 1, 1_000, 60_000),
  },
  { requiredKeys: ['task'] },
);

/** Intervals are whole milliseconds, so that charging one by one and at once is the same. */
const rate: fc.Arbitrary<Rate> = fc.record(
  {
    limit: fc.constantFrom(1, 2, 4),
    perMs: fc.constantFrom(1_000, 1_000, 10_000),
    burst: fc.constantFrom(1, 2, 3),
  },
  { requiredKeys: ['limit', 'perMs'] },
);
const tenantSettings: fc.Arbitrary<TenantSettings> = sometimes({
  weight: fc.constantFrom(1, 2, 3, 10),
  concurrency: fc.constantFrom(1, 2),
  rate,
  backlog: fc.constantFrom(1, 3),
});
const priorityPolicy: fc.Arbitrary<PriorityPolicy> = fc.oneof(
  fc.record(
    {
      policy: fc.constant('strict' as const),
      maxWaitMs: fc.constantFrom(
        { 1: 1_000, 3: 1_000, 6: 1_000 },
        { 1: 0, 3: 999 },
        { 3: null, 6: null, 1: 1 },
      ),
    },
    { requiredKeys: ['policy'] },
  ),
  fc.record(
    {
      policy: fc.constant('weighted' as const),
      weights: fc.constantFrom({ 1: 1, 3: 2, 6: 3 }, { 1: 10, 6: 1 }),
    },
    { requiredKeys: ['policy'] },
  ),
  fc.constant({ policy: 'off' as const }),
);
const queueSettings: fc.Arbitrary<QueueSettings> = fc
  .tuple(
    fc.constantFrom<QueueSettings>({}, {}, {}, { mode: 'fair' }, { mode: 'fifo' }),
    sometimes({
      priority: priorityPolicy,
      concurrency: fc.constantFrom(1, 2, 3),
      rate,
      backlog: fc.constantFrom(2, 5),
      tenants: tenantSettings,
    }),
  )
  .map((parts) => Object.assign({}, ...parts) as QueueSettings);

const said = fc.constantFrom<Omit<WorkerRegistration, 'id'>>(
  { queues: ['q'] },
  {
    queues: ['q', 'r'],
    types: ['one'],
    host: 'ü',
    pid: 7,
    version: '1 2',
    labels: { gpu: 'a100', zone: 'eu' },
  },
);

const edges = fc.constantFrom(0, 1, 999, 1_000, 1_001, 3_000, 4_999, 5_000, 5_001, 9_999, 10_000, 60_000);

const WEIGHTED: readonly [weight: number, step: fc.Arbitrary<Step>][] = [
  [8, step('enqueue', { tasks: fc.array(submission, { minLength: 1, maxLength: 1 }) })],
  [4, step('enqueue', { tasks: fc.array(submission, { minLength: 2, maxLength: 5 }), atomic: fc.boolean() })],
  [5, step('enqueue', { tasks: plain })],
  [10, step('lease', { request })],
  [3, step('lease', { request, waits: fc.constant(true) })],
  [2, step('leaseAgain', { queue: queueChoice, worker })],
  [2, step('leaseAgain', { queue: queueChoice, worker, before: fc.constant(true as const) })],
  [1, step('leaseAgain', { queue: queueChoice, worker, max: fc.constant(0) })],
  [2, step('giveUp', { request })],
  [2, step('leaseLate', { queue: queueChoice, worker })],
  [10, step('settle', { settlements: fc.array(settlement, { minLength: 1, maxLength: 1 }) })],
  [6, step('settle', { settlements: fc.array(settlement, { minLength: 1, maxLength: 4 }), next: request })],
  [3, step('settle', { settlements: fc.array(settlement, { minLength: 2, maxLength: 6 }) })],
  [3, step('extend', { leases: fc.array(recent, { maxLength: 3 }), leaseMs })],
  [
    2,
    step('extend', {
      leases: fc.array(recent, { minLength: 1, maxLength: 1 }),
      leaseMs,
      progress: fc.constant('0.5'),
      logs,
    }),
  ],
  [6, step('cancel', { tasks: fc.array(recent, { minLength: 1, maxLength: 3 }) })],
  [3, step('retry', { tasks: fc.array(recent, { minLength: 1, maxLength: 3 }) })],
  [3, step('promote', { queue: queueChoice })],
  [3, step('reap', { queue: queueChoice })],
  [1, step('prune', { queue: queueChoice })],
  [4, step('loseLeases', { queue: queueChoice })],
  [3, step('remove', { tasks: fc.array(recent, { minLength: 1, maxLength: 3 }) })],
  [4, step('update', { changes: fc.array(change, { minLength: 1, maxLength: 3 }) })],
  [2, step('configure', { queue: queueChoice, settings: queueSettings })],
  [3, step('configureTenant', { queue: queueChoice, tenant, settings: tenantSettings })],
  [1, step('pause', { queue: queueChoice })],
  [1, step('drain', { queue: queueChoice })],
  [3, step('resume', { queue: queueChoice })],
  [2, step('pause', { queue: queueChoice, tenant })],
  [2, step('resume', { queue: queueChoice, tenant })],
  [
    1,
    step('purge', {
      queue: queueChoice,
      state: fc.constantFrom('waiting', 'pending', 'completed', 'failed', 'cancelled', 'expired'),
    }),
  ],
  [1, step('purge', { queue: queueChoice, state: fc.constant('pending'), tenant })],
  [1, step('deleteQueue', { queue: queueChoice })],
  [5, step('advance', { ms: edges })],
  [1, step('advance', { ms: fc.constantFrom(-1, -1_000, -6_000) })],
  [1, step('advance', { ms: fc.constantFrom(DAY_MS, RETENTION.failed.ageMsMax + 1) })],
  [
    5,
    step('advanceTo', {
      edge: fc.constantFrom('due', 'deadline', 'next', 'next'),
      ms: fc.constantFrom(-1, 0, 0, 1),
    }),
  ],
  [5, step('repeat', {})],
  [3, step('loseReply', {})],
  [1, step('flushScripts', {})],
  [1, step('switchClient', {})],
  [1, step('announce', {})],
  [1, step('elect', { holder: worker, ttlMs: fc.constantFrom(1_000, 10_000) })],
  [3, step('register', { worker, said, ttlMs: fc.constantFrom(1_000, 5_000, 60_000) })],
  [1, step('deregister', { worker })],
  [2, step('tell', { worker, command: fc.constantFrom('quiet', 'terminate', undefined) })],
  [2, step('waitForWork', { queue: queueChoice })],
  [1, step('waitForWork', { queue: queueChoice, tenants })],
  [1, step('waitForEnd', { task: recent })],
];

export function stories(stepsMax: number): fc.Arbitrary<Step[]> {
  const steps = fc.oneof(...WEIGHTED.map(([weight, arbitrary]) => ({ weight, arbitrary })));
  // The mode can be chosen as long as there is nothing.
  const first = fc.option(step('configure', { queue: fc.constant(0), settings: queueSettings }), {
    nil: undefined,
  });
  return fc
    .tuple(first, fc.array(steps, { minLength: 1, maxLength: stepsMax, size: 'max' }))
    .map(([configure, others]) => (configure ? [configure, ...others] : others));
}

/** Each field in a third of the cases: with all limits at once nothing would ever start. */
function sometimes<T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<
  Partial<T>
> {
  const optional = Object.entries<fc.Arbitrary<unknown>>(fields).map(([name, value]) =>
    fc.oneof(
      { weight: 2, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: value.map((each) => ({ [name]: each })) },
    ),
  );
  return fc.tuple(...optional).map((parts) => Object.assign({}, ...parts) as Partial<T>);
}

function step<T extends object>(name: Step['do'], fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(fields).map((values) => ({ do: name, ...values }) as unknown as Step);
}
