import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { DEFAULT_TENANT } from '../core/names.js';
import { pagesOf } from '../core/pages.js';
import type { Inspector, TenantOverview } from '../core/ports/inspector.js';
import type { Operator } from '../core/ports/operator.js';
import type { TenantSettings } from '../core/settings.js';
import { OPEN_STATES, type QueueName } from '../core/task.js';
import { mergeOverviews, mergeTenants } from './merge.js';
import { partitionName, partitionNames, partitionOf } from './partition.js';
import { shareLimits } from './shares.js';

/**
 * Gives new partitions, before anybody knows of them, what a queue has beside its settings: whether it is paused or
 * drained, and what each tenant has of its own in the partition that it will be in. What a tenant leaves behind, where
 * nobody looks for it, is removed by the next growth.
 *
 * @throws QueueError `queue-not-empty`; `invalid-request` where the default tenant's limits cannot be divided
 */
export async function prepareGrowth(
  inner: Inspector & Operator,
  queue: QueueName,
  from: number,
  to: number,
): Promise<void> {
  const before = partitionNames(queue, from);
  const added = partitionNames(queue, to).slice(from);
  const overviews = (await inner.overview(before)).filter((overview) => overview !== undefined);
  const [first, ...others] = overviews;
  const overview = first && mergeOverviews([first, ...others]);
  if (overview && OPEN_STATES.some((state) => overview.states[state] > 0)) {
    throw new QueueError('queue-not-empty');
  }
  const everywhere = await tenantIn(inner, before, DEFAULT_TENANT);
  const shares = shareOfDefaultTenant(everywhere.settings, to);

  const moving: { tenant: TenantOverview; target: QueueName }[] = [];
  for (const [index, name] of [...before, ...added].entries()) {
    for await (const tenant of tenantsOf(inner, name)) {
      const shared = tenant.tenant === DEFAULT_TENANT;
      const left = shared ? index >= from : partitionOf(tenant.tenant, from) !== index;
      const target = partitionName(queue, partitionOf(tenant.tenant, to));
      if (left) {
        await inner.configureTenant(name, tenant.tenant, {});
        await inner.resume(name, tenant.tenant);
      } else if (!shared && target !== name) moving.push({ tenant, target });
    }
  }
  for (const { tenant, target } of moving) {
    await inner.configureTenant(target, tenant.tenant, tenant.settings);
    if (tenant.paused) await inner.pause(target, tenant.tenant);
  }
  for (const name of added) {
    await inner.resume(name);
    if (overview?.paused) await inner.pause(name);
    if (overview?.draining) await inner.drain(name);
    if (everywhere.paused) await inner.pause(name, DEFAULT_TENANT);
  }
  if (Object.keys(everywhere.settings).length === 0) return;
  for (const [index, share] of shares.entries()) {
    await inner.configureTenant(partitionName(queue, index), DEFAULT_TENANT, share);
  }
}

/** What a tenant has in all of these partitions together. */
export async function tenantIn(
  inner: Inspector,
  partitions: readonly QueueName[],
  tenant: string,
): Promise<TenantOverview> {
  const parts = await Promise.all(partitions.map((name) => inner.tenant(name, tenant)));
  return mergeTenants(parts as [TenantOverview, ...TenantOverview[]]);
}

function shareOfDefaultTenant(settings: TenantSettings, count: number): TenantSettings[] {
  try {
    return shareLimits(settings, count);
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    throw new QueueError('invalid-request', {
      message: `Of the default tenant's own settings, ${error.message}`,
      pointer: '/partitions',
    });
  }
}

async function* tenantsOf(inner: Inspector, name: QueueName): AsyncGenerator<TenantOverview> {
  const pages = pagesOf((cursor) => inner.tenants(name, LIMITS.listLimitMax, cursor));
  for await (const tenants of pages) yield* tenants;
}
