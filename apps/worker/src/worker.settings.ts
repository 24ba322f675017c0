import ipaddr from 'ipaddr.js';
import { LIMITS, NAME_PATTERNS, NAME_RULES } from '@app/queue';
import { defineSettings, duration, integer, port, setting, string, type SettingsOf } from '@app/runtime';

/** What a worker process reads from its environment beside what every process does. */
export const workerSettings = defineSettings('Worker', {
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
  concurrency: integer(
    { min: 1, max: 1_000 },
    { env: 'WORKER_CONCURRENCY', description: 'Tasks executed at once.', default: 10 },
  ),
  leaseMs: duration(
    { minMs: LIMITS.leaseMsMin, maxMs: LIMITS.leaseMsMax },
    {
      env: 'WORKER_LEASE',
      description:
        'How long after its last sign of life a worker is taken to be dead and its tasks go to others. It gives one every third of this time, and every 2 seconds at least.',
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
});

/** What only the API reads, so that one environment can serve both. */
export const apiVariables: readonly string[] = [
  'FAIRLANE_API_KEYS',
  'FAIRLANE_AUTH',
  'FAIRLANE_REQUEST_TIMEOUT',
  'FAIRLANE_SHUTDOWN_TIMEOUT',
];

export type WorkerSettings = SettingsOf<typeof workerSettings>;

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

// What these throw reaches nobody: the setting itself says what was expected.
function parseQueues(text: string): readonly string[] {
  const names = splitList(text);
  const good = names.join() === '*' || names.every((name) => NAME_PATTERNS.queue.test(name));
  if (names.length === 0 || !good) throw new Error('not queue names');
  return Object.freeze([...new Set(names)]);
}

function parseAllowed(text: string): readonly string[] {
  for (const item of splitList(text)) {
    if (item.includes('/')) ipaddr.parseCIDR(item);
    else if (!ipaddr.isValid(item) && !/^[A-Za-z0-9._-]{1,253}$/.test(item)) throw new Error('not a host');
  }
  return Object.freeze(splitList(text).map((item) => item.toLowerCase()));
}
