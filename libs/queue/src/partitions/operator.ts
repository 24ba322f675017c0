import { QueueError } from '../core/errors.js';
import { checkName, checkQueueName } from '../core/names.js';
import type { Inspector } from '../core/ports/inspector.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { OperateOutcome, Operator, PurgeRequest, TaskChange } from '../core/ports/operator.js';
import { checkQueueSettings } from '../core/check-settings.js';
import type { QueueSettings, TenantSettings } from '../core/settings.js';
import { OPEN_STATES, type QueueName, type TaskId } from '../core/task.js';
import { prepareGrowth } from './growth.js';
import { mergeChores } from './merge.js';
import type { PartitionCounts } from './partition-counts.js';
import { partitionName, partitionsWith } from './partition.js';
import { shareLimits } from './shares.js';
import type { TaskFinder } from './task-finder.js';
import { ofQueue } from './views.js';

export class PartitionedOperator implements Operator {
  constructor(
    private readonly inner: Inspector & Operator,
    private readonly counts: PartitionCounts,
    private readonly finder: TaskFinder,
  ) {}

  async cancel(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return (await this.inner.cancel(await this.finder.located(ids))).map(ofQueue);
  }

  async retry(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return (await this.inner.retry(await this.finder.located(ids))).map(ofQueue);
  }

  async remove(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return (await this.inner.remove(await this.finder.located(ids))).map(ofQueue);
  }

  async update(changes: readonly TaskChange[]): Promise<OperateOutcome[]> {
    const ids = await this.finder.located(changes.map(({ id }) => id));
    return (await this.inner.update(changes.map((change, i) => ({ ...change, id: ids[i]! })))).map(ofQueue);
  }

  async configure(queue: QueueName, settings: QueueSettings): Promise<void> {
    checkQueueName(queue, '/queue');
    checkQueueSettings(settings);
    const count = await this.counts.now(queue);
    const { partitions = count, mode } = settings;
    if (partitions < count) throw invalid('/partitions', `can be raised, not lowered: there are ${count}`);
    if (partitions === 1) return this.inner.configure(queue, settings);
    if (mode === 'fifo') throw invalid('/mode', 'cannot be fifo: the queue is split into partitions');
    const shares = shareLimits({ ...settings, partitions }, partitions);
    if (partitions > count) await prepareGrowth(this.inner, queue, count, partitions);
    // The number is believed where partition 0 says it, so that one comes last.
    for (const [index, share] of [...shares.entries()].reverse()) {
      await this.inner.configure(partitionName(queue, index), share);
    }
    this.counts.set(queue, partitions);
  }

  async configureTenant(queue: QueueName, tenant: string, settings: TenantSettings): Promise<void> {
    const names = await this.namesNow(queue, tenant);
    const shares = names.length === 1 ? [settings] : shareLimits(settings, names.length);
    await Promise.all(names.map((name, i) => this.inner.configureTenant(name, tenant, shares[i]!)));
  }

  async pause(queue: QueueName, tenant?: string): Promise<void> {
    const names = await this.namesNow(queue, tenant);
    await Promise.all(names.map((name) => this.inner.pause(name, tenant)));
  }

  async resume(queue: QueueName, tenant?: string): Promise<void> {
    const names = await this.namesNow(queue, tenant);
    await Promise.all(names.map((name) => this.inner.resume(name, tenant)));
  }

  async drain(queue: QueueName): Promise<void> {
    const names = await this.namesNow(queue);
    await Promise.all(names.map((name) => this.inner.drain(name)));
  }

  async purge(request: PurgeRequest): Promise<ChoreResult> {
    const names = await this.namesNow(request.queue, request.tenant);
    return sliceOf(names, (queue) => this.inner.purge({ ...request, queue }));
  }

  async deleteQueue(queue: QueueName): Promise<ChoreResult> {
    const names = await this.namesNow(queue);
    if (names.length === 1) return this.inner.deleteQueue(queue);
    const overviews = await this.inner.overview(names);
    if (overviews.some((overview) => OPEN_STATES.some((state) => (overview?.states[state] ?? 0) > 0))) {
      throw new QueueError('queue-not-empty');
    }
    // Partition 0, which has the number, goes last, and is told it again.
    return sliceOf(names.reverse(), async (name) => {
      const result = await this.inner.deleteQueue(name);
      if (name === queue) await this.inner.configure(queue, { partitions: names.length });
      return result;
    });
  }

  private async namesNow(queue: QueueName, tenant?: string): Promise<QueueName[]> {
    checkQueueName(queue, '/queue');
    if (tenant !== undefined) checkName('tenant', tenant, '/tenant');
    return partitionsWith(queue, await this.counts.now(queue), tenant === undefined ? undefined : [tenant]);
  }
}

/** One slice of work on partition after partition: as far as the first that has more to do. */
async function sliceOf(
  names: readonly QueueName[],
  slice: (name: QueueName) => Promise<ChoreResult>,
): Promise<ChoreResult> {
  const results: ChoreResult[] = [];
  for (const name of names) {
    const result = await slice(name);
    results.push(result);
    if (result.more) break;
  }
  return mergeChores(results);
}

function invalid(pointer: string, rule: string): QueueError {
  return new QueueError('invalid-request', { message: `${pointer.slice(1)} ${rule}.`, pointer });
}
