import { checkCount } from '../core/checks.js';
import { LIMITS } from '../core/limits.js';
import { checkName, checkQueueName, DEFAULT_TENANT } from '../core/names.js';
import type {
  Inspector,
  ListQuery,
  QueueOverview,
  TaskPage,
  TenantOverview,
  TenantPage,
  WorkerActivity,
} from '../core/ports/inspector.js';
import type { QueueSettings } from '../core/settings.js';
import type { LogLine, QueueName, Task, TaskId } from '../core/task.js';
import { tenantIn } from './growth.js';
import { mergeActivity, mergeOverviews } from './merge.js';
import type { PartitionCounts } from './partition-counts.js';
import {
  isPartitionName,
  partitionNames,
  partitionOf,
  partitionsWith,
  queueOfPartition,
} from './partition.js';
import { wholeOf } from './shares.js';
import type { TaskFinder } from './task-finder.js';
import { listPartitions } from './task-pages.js';
import { mergeTenantPages, type TenantSource } from './tenant-pages.js';
import { inQueue } from './views.js';

export class PartitionedInspector implements Inspector {
  constructor(
    private readonly inner: Inspector,
    private readonly counts: PartitionCounts,
    private readonly finder: TaskFinder,
  ) {}

  async get(ids: readonly TaskId[]): Promise<(Task | undefined)[]> {
    return (await this.finder.get(ids)).map((task) => task && inQueue(task));
  }

  async list(query: ListQuery): Promise<TaskPage> {
    const { queue, tenant, limit } = query;
    checkQueueName(queue, '/queue');
    const count = await this.counts.of(queue);
    if (count === 1) return this.inner.list(query);
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    const names = partitionsWith(queue, count, tenant === undefined ? undefined : [tenant]);
    const page = await listPartitions(this.inner, names, query);
    return { ...page, items: page.items.map(inQueue) };
  }

  async logs(id: TaskId): Promise<LogLine[]> {
    return this.inner.logs(await this.finder.locate(id));
  }

  async waitForEnd(
    id: TaskId,
    timeoutMs: number,
    signal?: AbortSignal,
    unbornAtMs?: number,
  ): Promise<Task | undefined> {
    const located = await this.finder.locate(id);
    const task = await this.inner.waitForEnd(located, timeoutMs, signal, unbornAtMs);
    return task && inQueue(task);
  }

  async queues(limit: number, cursor?: QueueName): Promise<{ items: QueueName[]; nextCursor?: QueueName }> {
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    // Some more, since the names of partitions come in between and are passed over.
    const read = Math.min(limit + LIMITS.partitionsMax, LIMITS.listLimitMax);
    const names: QueueName[] = [];
    let after = cursor;
    do {
      const page = await this.inner.queues(read, after);
      names.push(...page.items.filter((name) => !isPartitionName(name)));
      after = page.nextCursor;
    } while (after !== undefined && names.length <= limit);
    const items = names.slice(0, limit);
    return names.length > limit ? { items, nextCursor: items.at(-1) } : { items };
  }

  async overview(queues: readonly QueueName[]): Promise<(QueueOverview | undefined)[]> {
    for (const queue of queues) checkQueueName(queue, '/queue');
    const counts = await Promise.all(queues.map((queue) => this.counts.of(queue)));
    const overviews = await this.inner.overview(
      queues.flatMap((queue, i) => partitionNames(queue, counts[i]!)),
    );
    let at = 0;
    return counts.map((count) => overviewOf(overviews.slice(at, (at += count))));
  }

  async settings(queue: QueueName): Promise<QueueSettings> {
    checkQueueName(queue, '/queue');
    const first = await this.inner.settings(queue);
    const { partitions = 1 } = first;
    const others = partitionNames(queue, partitions).slice(1);
    return wholeOf([first, ...(await Promise.all(others.map((name) => this.inner.settings(name))))]);
  }

  async tenants(queue: QueueName, limit: number, cursor?: string): Promise<TenantPage> {
    checkQueueName(queue, '/queue');
    const count = await this.counts.of(queue);
    if (count === 1) return this.inner.tenants(queue, limit, cursor);
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    const names = partitionNames(queue, count);
    const sources = names.map((name, index): TenantSource => ({
      read: (most, after) => this.inner.tenants(name, most, after),
      shows: (tenant) => tenant !== DEFAULT_TENANT && partitionOf(tenant, count) === index,
    }));
    const everywhere: TenantSource = {
      read: async () => ({ items: (await this.defaultTenant(names)) ?? [] }),
      shows: () => true,
    };
    return mergeTenantPages([...sources, everywhere], limit, cursor);
  }

  private async defaultTenant(names: readonly QueueName[]): Promise<[TenantOverview] | undefined> {
    const tenant = await tenantIn(this.inner, names, DEFAULT_TENANT);
    const { backlog, running, paused, settings } = tenant;
    return backlog + running > 0 || paused || Object.keys(settings).length > 0 ? [tenant] : undefined;
  }

  async tenant(queue: QueueName, tenant: string): Promise<TenantOverview> {
    checkQueueName(queue, '/queue');
    checkName('tenant', tenant, '/tenant');
    return tenantIn(this.inner, partitionsWith(queue, await this.counts.of(queue), [tenant]), tenant);
  }

  async activity(queue: QueueName, workerIds: readonly string[]): Promise<WorkerActivity[]> {
    checkQueueName(queue, '/queue');
    const names = partitionNames(queue, await this.counts.of(queue));
    return mergeActivity(await Promise.all(names.map((name) => this.inner.activity(name, workerIds))));
  }

  async leased(queue: QueueName, workerId: string, limit: number): Promise<Task[]> {
    checkQueueName(queue, '/queue');
    const names = partitionNames(queue, await this.counts.of(queue));
    const parts = await Promise.all(names.map((name) => this.inner.leased(name, workerId, limit)));
    return parts.flat().map(inQueue).slice(0, limit);
  }

  probe(): Promise<{ writeMs: number; readMs: number }> {
    return this.inner.probe();
  }
}

function overviewOf(parts: readonly (QueueOverview | undefined)[]): QueueOverview | undefined {
  if (parts.length === 1) return parts[0];
  const [first, ...others] = parts.filter((part) => part !== undefined);
  if (!first) return undefined;
  const overview = mergeOverviews([{ ...first, queue: queueOfPartition(first.queue) }, ...others]);
  // Deleted: all that is left is partition 0, which knows how many there are.
  const empty = Object.values(overview.states).every((tasks) => tasks === 0);
  return others.length === 0 && empty ? undefined : overview;
}
