import { checkCount } from './checks.js';
import { QueueError } from './errors.js';
import { LIMITS } from './limits.js';
import { HIGHEST_PRIORITY, LOWEST_PRIORITY } from './priority.js';
import type { PriorityPolicy, QueueSettings, Rate, TenantSettings } from './settings.js';
import type { Priority } from './task.js';

/** @throws QueueError `invalid-request`, with a pointer */
export function checkQueueSettings(settings: QueueSettings): void {
  checkFields('', settings, ['mode', 'priority', 'concurrency', 'rate', 'backlog', 'tenants', 'partitions']);
  const { mode, priority, concurrency, rate, backlog, tenants, partitions } = settings;
  if (mode !== undefined && mode !== 'fair' && mode !== 'fifo')
    throw invalid('/mode', 'must be fair or fifo');
  if (priority !== undefined) checkPriorityPolicy(priority);
  if (concurrency !== undefined) checkCount('/concurrency', concurrency, 1, LIMITS.concurrencyMax);
  if (rate !== undefined) checkRate('/rate', rate);
  if (backlog !== undefined) checkCount('/backlog', backlog, 1, LIMITS.backlogMax);
  if (tenants !== undefined) checkTenantSettings(tenants, '/tenants');
  if (partitions !== undefined) checkCount('/partitions', partitions, 1, LIMITS.partitionsMax);
}

/** @throws QueueError `invalid-request`, with a pointer */
export function checkTenantSettings(settings: TenantSettings, pointer = ''): void {
  checkFields(pointer, settings, ['weight', 'concurrency', 'rate', 'backlog']);
  const { weight, concurrency, rate, backlog } = settings;
  if (weight !== undefined) checkCount(`${pointer}/weight`, weight, 1, LIMITS.weightMax);
  if (concurrency !== undefined) checkCount(`${pointer}/concurrency`, concurrency, 1, LIMITS.concurrencyMax);
  if (rate !== undefined) checkRate(`${pointer}/rate`, rate);
  if (backlog !== undefined) checkCount(`${pointer}/backlog`, backlog, 1, LIMITS.backlogMax);
}

function checkRate(pointer: string, rate: Rate): void {
  checkFields(pointer, rate, ['limit', 'perMs', 'burst']);
  checkCount(`${pointer}/limit`, rate.limit, 1, LIMITS.rateMax);
  checkCount(`${pointer}/perMs`, rate.perMs, 1, LIMITS.ratePerMsMax);
  if (rate.burst !== undefined) checkCount(`${pointer}/burst`, rate.burst, 1, LIMITS.rateMax);
}

function checkPriorityPolicy(priority: PriorityPolicy): void {
  switch (priority.policy) {
    case 'strict':
      checkFields('/priority', priority, ['policy', 'maxWaitMs']);
      for (const [each, bound] of byPriority('/priority/maxWaitMs', priority.maxWaitMs)) {
        if (bound !== null) checkCount(`/priority/maxWaitMs/${each}`, bound, 0, LIMITS.delayMsMax);
      }
      return;
    case 'weighted':
      checkFields('/priority', priority, ['policy', 'weights']);
      for (const [each, weight] of byPriority('/priority/weights', priority.weights)) {
        checkCount(`/priority/weights/${each}`, weight, 1, LIMITS.weightMax);
      }
      return;
    case 'off':
      return checkFields('/priority', priority, ['policy']);
    default:
      throw invalid('/priority/policy', 'must be strict, weighted or off');
  }
}

function byPriority<T>(pointer: string, values: Partial<Record<Priority, T>> = {}): [string, T][] {
  for (const each of Object.keys(values)) {
    const priority = Number(each);
    if (Number.isInteger(priority) && priority >= LOWEST_PRIORITY && priority <= HIGHEST_PRIORITY) continue;
    throw invalid(`${pointer}/${each}`, 'must be a priority from 1 to 6');
  }
  return Object.entries(values) as [string, T][];
}

function checkFields(pointer: string, value: object, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw invalid(pointer, 'must be an object');
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) throw invalid(`${pointer}/${unknown}`, 'is not a known setting');
}

function invalid(pointer: string, rule: string): QueueError {
  return new QueueError('invalid-request', { message: `${pointer.slice(1)} ${rule}.`, pointer });
}
