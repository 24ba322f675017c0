import type { Capability } from './capabilities.js';
import { DEFAULT_TENANT } from './names.js';
import type { LeaseRequest, Settlement } from './ports/consumer.js';
import type { NewTask } from './ports/producer.js';
import type { Queue } from './ports/queue.js';
import type { QueueSettings, TenantSettings } from './settings.js';
import type { RetryPolicy } from './task.js';

/** A capability that a request needs, and where in the request it is asked for, as a JSON pointer. */
export interface Requirement {
  capability: Capability;
  pointer?: string;
}

/** What a submission needs. */
export function requirementsOfTask(task: NewTask): Requirement[] {
  const { key, tenant, ttlMs, timeoutMs, retry, orderingKey, tags, metadata, idempotency } = task;
  return needed(
    [key !== undefined && /^\d+$|:/.test(key), 'free-keys', '/id'],
    [isTenant(tenant), 'tenants', '/tenant'],
    [ttlMs !== undefined, 'ttl', '/ttl'],
    [timeoutMs !== undefined, 'timeouts', '/timeout'],
    [retry !== undefined && hasOwnDelays(retry), 'retry-delays', '/retry'],
    [orderingKey !== undefined, 'ordering-keys', '/orderingKey'],
    [tags !== undefined && tags.length > 0, 'metadata', '/tags'],
    [metadata !== undefined && Object.keys(metadata).length > 0, 'metadata', '/metadata'],
    [idempotency !== undefined, 'idempotency-keys'],
  );
}

/** What a settlement needs. */
export function requirementsOfSettlement(settlement: Settlement): Requirement[] {
  const holdsBack = settlement.action === 'release' && (settlement.retryAfterMs ?? 0) !== 0;
  return needed([holdsBack, 'hold-back', '/retryAfter']);
}

type Requirements = {
  [Operation in keyof Queue]?: (...args: Parameters<Queue[Operation]>) => Requirement[];
};

/** What a call of the ports needs as a whole. Where it is about many tasks, see the functions above as well. */
export const REQUIREMENTS = {
  // One task is stored in one step by anybody.
  enqueue: (tasks, options) => needed([options?.atomic === true && tasks.length > 1, 'atomic-batches']),
  lease: ofLease,
  settle: (_settlements, next) => (next ? ofLease(next) : []),
  waitForWork: (_queues, _timeoutMs, _signal, tenants) => needed([tenants !== undefined, 'stealing']),
  waitAndLease: ofLease,
  announceTypes: (routes) => needed([Object.keys(routes).length > 0, 'type-routes']),
  list: ({ state, tenant, tag }) =>
    needed(
      [state === undefined, 'combined-lists', '/state'],
      [tenant !== undefined, 'tenants', '/tenant'],
      [tag !== undefined, 'metadata', '/tag'],
    ),
  queues: () => needed([true, 'queue-list']),
  tenants: () => needed([true, 'tenants']),
  tenant: () => needed([true, 'tenants']),
  activity: () => needed([true, 'worker-activity']),
  leased: () => needed([true, 'worker-activity']),
  follow: () => needed([true, 'events']),
  snapshot: () => needed([true, 'events']),
  configure: (_queue, settings) => ofQueueSettings(settings),
  configureTenant: (_queue, _tenant, settings) => ofTenantSettings(settings, ''),
  pause: (_queue, tenant) => needed([tenant !== undefined, 'tenants', '/tenant']),
  resume: (_queue, tenant) => needed([tenant !== undefined, 'tenants', '/tenant']),
  drain: () => needed([true, 'drain']),
  purge: ({ tenant }) => needed([tenant !== undefined, 'tenants', '/tenant']),
  register: () => needed([true, 'worker-registry']),
  deregister: () => needed([true, 'worker-registry']),
  tell: () => needed([true, 'worker-registry']),
  worker: () => needed([true, 'worker-registry']),
  workers: () => needed([true, 'worker-registry']),
  commands: () => needed([true, 'worker-registry']),
} satisfies Requirements;

function ofLease({ tenants = [], steal = true }: LeaseRequest): Requirement[] {
  return needed([tenants.length > 0, 'stealing', '/tenants'], [steal !== true, 'stealing', '/steal']);
}

function ofQueueSettings(settings: QueueSettings): Requirement[] {
  const { mode, priority, concurrency, rate, backlog, tenants, partitions = 1 } = settings;
  return [
    ...needed(
      [mode === 'fifo', 'fifo', '/mode'],
      [priority !== undefined, 'priority-policies', '/priority'],
      [concurrency !== undefined, 'concurrency-limits', '/concurrency'],
      [rate !== undefined, 'rate-limits', '/rate'],
      [backlog !== undefined, 'backlog-limits', '/backlog'],
      [partitions > 1, 'partitions', '/partitions'],
    ),
    ...(tenants ? ofTenantSettings(tenants, '/tenants') : []),
  ];
}

function ofTenantSettings({ concurrency, rate, backlog }: TenantSettings, at: string): Requirement[] {
  return needed(
    [true, 'tenants', at || '/tenant'],
    [concurrency !== undefined, 'concurrency-limits', `${at}/concurrency`],
    [rate !== undefined, 'rate-limits', `${at}/rate`],
    [backlog !== undefined, 'backlog-limits', `${at}/backlog`],
  );
}

function isTenant(tenant: string | undefined): boolean {
  return tenant !== undefined && tenant !== DEFAULT_TENANT;
}

/** Whether a policy is more than a number of attempts with delays that stay the same or double. */
function hasOwnDelays({ backoff, delayMs, maxDelayMs, maxAttempts }: RetryPolicy): boolean {
  if (backoff !== 'fixed' && backoff !== 'exponential') return true;
  const longestMs = backoff === 'fixed' ? delayMs : delayMs * 2 ** Math.max(0, maxAttempts - 2);
  return longestMs > maxDelayMs;
}

function needed(...parts: readonly [is: boolean, capability: Capability, pointer?: string][]): Requirement[] {
  return parts.flatMap(([is, capability, pointer]) => (is ? [{ capability, pointer }] : []));
}
