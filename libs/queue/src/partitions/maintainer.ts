import { checkQueueName } from '../core/names.js';
import type { ChoreResult, Maintainer } from '../core/ports/maintainer.js';
import type { QueueName } from '../core/task.js';
import { mergeChores } from './merge.js';
import type { PartitionCounts } from './partition-counts.js';
import { partitionNames } from './partition.js';

/** Chores visit every queue there is, every second; to them a new partition may be news for longer. */
const KNOWN_MS = 10_000;

export class PartitionedMaintainer implements Maintainer {
  constructor(
    private readonly inner: Maintainer,
    private readonly counts: PartitionCounts,
  ) {}

  promote(queue: QueueName): Promise<ChoreResult> {
    return this.chore(queue, (name) => this.inner.promote(name));
  }

  reap(queue: QueueName): Promise<ChoreResult> {
    return this.chore(queue, (name) => this.inner.reap(name));
  }

  prune(queue: QueueName): Promise<ChoreResult> {
    return this.chore(queue, (name) => this.inner.prune(name));
  }

  private async chore(
    queue: QueueName,
    slice: (name: QueueName) => Promise<ChoreResult>,
  ): Promise<ChoreResult> {
    checkQueueName(queue, '/queue');
    const count = await this.counts.of(queue, KNOWN_MS);
    return mergeChores(await Promise.all(partitionNames(queue, count).map(slice)));
  }

  electForChores(holder: string, ttlMs: number): Promise<boolean> {
    return this.inner.electForChores(holder, ttlMs);
  }
}
