import { checkCount } from '../core/checks.js';
import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { TenantOverview, TenantPage } from '../core/ports/inspector.js';
import { sizeClass } from '../core/size-class.js';
import { compareText, type QueueState } from './queue-state.js';

/** What a tenant has in a queue. */
export function tenantOverview(queue: QueueState, tenant: string, now: number): TenantOverview {
  queue.forgetIdle(tenant, now);
  const { settings, paused, minutes, waits } = queue.tenant(tenant);
  const oldest = queue.lanes.oldestOf(tenant);
  return {
    tenant,
    settings: structuredClone(settings),
    paused,
    backlog: queue.backlog(tenant),
    running: queue.running(tenant),
    oldestPendingAgeMs: oldest === Infinity ? undefined : Math.max(0, now - oldest),
    startedThisMinute: minutes.started(now, 0),
    startedLastMinute: minutes.started(now, 1),
    waits: waits.counts,
  };
}

/** A page of the tenants that have open tasks, or about which an operator has decided something. */
export function tenantPage(
  queue: QueueState,
  limit: number,
  cursor: string | undefined,
  now: number,
): TenantPage {
  checkCount('/limit', limit, 1, LIMITS.listLimitMax);
  const after = cursor === undefined ? undefined : readCursor(cursor);
  const rest = [...queue.tenants]
    .map(([name, { settings, paused }]) => ({ name, size: sizeClass(queue.open(name)), settings, paused }))
    .filter(({ size, settings, paused }) => size > 0 || Object.keys(settings).length > 0 || paused)
    .filter((tenant) => !after || bySize(after, tenant) < 0)
    .sort(bySize);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(({ name }) => tenantOverview(queue, name, now)),
    nextCursor: last && rest.length > limit ? writeCursor(last) : undefined,
  };
}

interface Place {
  size: number;
  name: string;
}

function bySize(a: Place, b: Place): number {
  return b.size - a.size || compareText(b.name, a.name);
}

function writeCursor({ size, name }: Place): string {
  return Buffer.from(JSON.stringify([size, name])).toString('base64url');
}

function readCursor(cursor: string): Place {
  try {
    const [size, name] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (typeof size === 'number' && typeof name === 'string') return { size, name };
  } catch {
    // Not one of ours: said below.
  }
  throw new QueueError('invalid-cursor', { pointer: '/cursor' });
}
