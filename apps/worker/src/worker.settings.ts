import ipaddr from 'ipaddr.js';
import { LIMITS, NAME_PATTERNS, NAME_RULES, parseLabels } from '@app/queue';
import {
  defineSettings,
  duration,
  integer,
  port,
  setting,
  string,
  type ConfigProblem,
  type SettingsOf,
} from '@app/runtime';

/** What a worker process reads from its environment beside what every process does. */
export const workerSettings = defineSettings(
  'Worker',
  {
    queues: setting<readonly string[], { env: string; description: string }>(
      {
        expected: `* or a comma-separated list of queue names, each ${NAME_RULES.queue}`,
        parse: parseQueues,
        show: (queues) => queues.join(','),
      },
      {
        env: 'WORKER_QUEUES',
        description:
          'Queues to serve; `*` for all, those created later included. Unset: `default` and the queues that the handlers name.',
      },
    ),
    tenants: setting<readonly string[], { env: string; description: string; default: readonly string[] }>(
      {
        expected: `a comma-separated list of at most ${LIMITS.leaseTenantsMax} tenants, each ${NAME_RULES.tenant}, without commas`,
        parse: parseTenants,
        show: (tenants) => tenants.join(','),
      },
      {
        env: 'WORKER_TENANTS',
        description:
          'Tenants whose tasks this worker takes before those of all others, whatever their priorities.',
        default: [],
      },
    ),
    steal: setting<
      boolean | readonly string[],
      { env: string; description: string; default: boolean | readonly string[] }
    >(
      {
        expected: 'true, false, or a list of tenants as in WORKER_TENANTS',
        parse: (text) => (/^(true|false)$/i.test(text) ? text.toLowerCase() === 'true' : parseTenants(text)),
        show: String,
      },
      {
        env: 'WORKER_STEAL',
        description:
          'Whose tasks it takes when `WORKER_TENANTS` have nothing to start: those of all others (`true`), of nobody (`false`), or of the tenants named here.',
        default: true,
      },
    ),
    concurrency: integer(
      { min: 1, max: 1_000 },
      { env: 'WORKER_CONCURRENCY', description: 'Tasks executed at once.', default: 10 },
    ),
    leaseMs: duration(
      { minMs: LIMITS.leaseMsMin, maxMs: LIMITS.leaseMsMax },
      {
        env: 'WORKER_LEASE',
        description:
          'How long after its last sign of life a worker is taken to be dead, its tasks go to others, and it is listed no more. It gives one every third of this time, and every 2 seconds at least.',
        default: LIMITS.leaseMsDefault,
      },
    ),
    timeoutMs: duration(
      { minMs: 1, maxMs: LIMITS.timeoutMsMax },
      {
        env: 'WORKER_TIMEOUT',
        description: 'How long an attempt may run where neither its task nor its handler says.',
        default: 300_000,
      },
    ),
    drainTimeoutMs: duration(
      { minMs: 0, maxMs: LIMITS.timeoutMsMax },
      {
        env: 'WORKER_DRAIN_TIMEOUT',
        description:
          'How long running tasks may go on after SIGTERM before they are given back. Keep it below what the supervisor waits before it kills.',
        default: 25_000,
      },
    ),
    labels: setting<
      Readonly<Record<string, string>>,
      { env: string; description: string; default: Readonly<Record<string, string>> }
    >(
      {
        expected: `a comma-separated list of at most ${LIMITS.workerLabelsMax} labels such as gpu=a100,zone=eu, names ${NAME_RULES.metadataKey}, values of at most ${LIMITS.workerTextCharsMax} characters`,
        parse: parseWorkerLabels,
        show: (labels) =>
          Object.entries(labels)
            .map(([name, value]) => `${name}=${value}`)
            .join(','),
      },
      {
        env: 'WORKER_LABELS',
        description: 'What the list of workers shows beside host and process, such as `gpu=a100,zone=eu`.',
        default: {},
      },
    ),
    version: string(
      { pattern: /.{1,256}/u, expected: 'text of at most 256 characters' },
      {
        env: 'WORKER_VERSION',
        description:
          'The version of its handlers, for the list of workers, such as the commit they were built from.',
      },
    ),
    host: string(
      {},
      { env: 'WORKER_HOST', description: 'Address for health and metrics.', default: '127.0.0.1' },
    ),
    port: port({ env: 'WORKER_PORT', description: 'Port for health and metrics.', default: 3001 }),
    httpRequestAllow: setting<
      readonly string[],
      { env: string; description: string; default: readonly string[] }
    >(
      {
        expected: 'a comma-separated list of networks such as 10.1.0.0/16, addresses and host names',
        parse: parseAllowed,
        show: (items) => items.join(','),
      },
      {
        env: 'HTTP_REQUEST_ALLOW',
        description: 'What `http.request` may reach although it is not public.',
        default: [],
      },
    ),
  },
  findContradictions,
);

/** What only the API reads, so that one environment can serve both. */
export const apiVariables: readonly string[] = [
  'FAIRLANE_API_KEYS',
  'FAIRLANE_AUTH',
  'FAIRLANE_FOLLOWERS_MAX',
  'FAIRLANE_REQUEST_TIMEOUT',
  'FAIRLANE_SHUTDOWN_TIMEOUT',
  'FAIRLANE_SOCKETS_MAX',
  'FAIRLANE_SOCKET_PING',
];

export type WorkerSettings = SettingsOf<typeof workerSettings>;

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

function findContradictions({
  tenants,
  steal,
}: {
  readonly tenants: readonly string[];
  readonly steal: boolean | readonly string[];
}): ConfigProblem[] {
  if (steal !== false || tenants.length > 0) return [];
  const message = 'WORKER_STEAL=false needs WORKER_TENANTS: without it the worker would never take a task';
  return [{ env: 'WORKER_STEAL', message }];
}

// What these throw reaches nobody: the setting itself says what was expected.
function parseQueues(text: string): readonly string[] {
  const names = splitList(text);
  const good = names.join() === '*' || names.every((name) => NAME_PATTERNS.queue.test(name));
  if (names.length === 0 || !good) throw new Error('not queue names');
  return Object.freeze([...new Set(names)]);
}

function parseTenants(text: string): readonly string[] {
  const names = [...new Set(splitList(text))];
  const good = names.every((name) => NAME_PATTERNS.tenant.test(name));
  if (names.length === 0 || names.length > LIMITS.leaseTenantsMax || !good) throw new Error('not tenants');
  return Object.freeze(names);
}

function parseWorkerLabels(text: string): Readonly<Record<string, string>> {
  const labels = parseLabels(text);
  if (!labels) throw new Error('not labels');
  return Object.freeze(labels);
}

function parseAllowed(text: string): readonly string[] {
  for (const item of splitList(text)) {
    if (item.includes('/')) ipaddr.parseCIDR(item);
    else if (!ipaddr.isValid(item) && !/^[A-Za-z0-9._-]{1,253}$/.test(item)) throw new Error('not a host');
  }
  return Object.freeze(splitList(text).map((item) => item.toLowerCase()));
}
