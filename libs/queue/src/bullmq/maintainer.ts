import { checkQueueName } from '../core/names.js';
import type { ChoreResult, Maintainer } from '../core/ports/maintainer.js';
import type { QueueName } from '../core/task.js';
import type { Cancelled } from './cancelled.js';
import { promoteDue } from './due.js';
import type { IdempotencyKeys } from './idempotency-keys.js';
import { DIRECTORY, type Store } from './store.js';

export class BullmqMaintainer implements Maintainer {
  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly keys: IdempotencyKeys,
  ) {}

  async promote(queue: QueueName): Promise<ChoreResult> {
    checkQueueName(queue, '/queue');
    return this.store.run(queue, promoteDue);
  }

  /** Of all who ask, workers of BullMQ's included, one looks every few seconds. */
  async reap(queue: QueueName): Promise<ChoreResult> {
    checkQueueName(queue, '/queue');
    const stalled = await this.store.run(queue, async (backend) => {
      const ids = await backend.moveStalledJobsToWait();
      await Promise.all(
        ids.map(async (jobId) => {
          const job = await backend.getJobData(jobId);
          // Whoever had it was asked to stop, and has.
          if (job && (await this.cancelled.isAsked(queue, jobId, job))) {
            if (await this.cancelled.cancel(queue, jobId, job)) await this.cancelled.unask(queue, jobId);
          }
        }),
      );
      return ids;
    });
    return { count: stalled.length, more: false };
  }

  /** BullMQ removes finished jobs by itself, when others finish. */
  async prune(queue: QueueName): Promise<ChoreResult> {
    checkQueueName(queue, '/queue');
    const keys = await this.keys.prune(queue);
    const { count, more } = await this.cancelled.prune(queue);
    return { count, more: more || keys.more };
  }

  /** Two who ask at the same moment may both be elected: that costs work and no more. */
  async electForChores(holder: string, ttlMs: number): Promise<boolean> {
    return this.store.run(DIRECTORY, async (backend) => {
      const now = Date.now();
      const [until, elected] = await backend.getQueueMetaFields(['chores-until', 'chores-by']);
      if (elected !== holder && Number(until) > now) return false;
      await backend.setQueueMeta({ 'chores-until': now + ttlMs, 'chores-by': holder });
      return true;
    });
  }
}
