import type { IQueueBackend } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { QueueName } from '../core/task.js';
import { minimal } from './job-view.js';
import type { Store } from './store.js';

/** So long after it was written a note would fall due as a job: longer than any is kept. */
const NEVER_MS = LIMITS.delayMsMax;
/** One of so many that are written looks for those that are too old: where only BullMQ's workers work, nobody does chores. */
const PRUNED_EVERY = 50;

/** Which notes are kept. */
export interface Kept {
  ageMsMax: number;
  tasksMax: number;
}

/**
 * What is to be remembered of a queue's jobs and BullMQ has no place for: jobs that never fall due, in a queue beside
 * theirs. Names of queues have no `~`, so it is never one of them.
 */
export class Notes {
  #written = 0;

  constructor(
    private readonly store: Store,
    private readonly suffix: `~${string}`,
    private readonly kept: Kept,
  ) {}

  /** Instead of an earlier one. */
  async write(queue: QueueName, id: string, text: string, at: number): Promise<void> {
    await this.remove(queue, id);
    await this.writeNew(queue, id, text, at);
  }

  /** Leaves one that there is as it is. */
  async writeNew(queue: QueueName, id: string, text: string, at: number): Promise<void> {
    const opts = { jobId: id, delay: NEVER_MS, timestamp: at };
    const job = { id, name: 'note', data: text, opts, timestamp: at, delay: NEVER_MS, progress: 0 };
    const nothing = {
      attemptsMade: 0,
      attemptsStarted: 0,
      stalledCounter: 0,
      failedReason: '',
      returnvalue: '',
    };
    await this.#run(queue, (backend) => backend.addJob({ ...job, ...nothing }, id));
    this.#written += 1;
    if (this.#written % PRUNED_EVERY === 0) await this.prune(queue);
  }

  /** Nothing where there is none any more. */
  async rewrite(queue: QueueName, id: string, text: string): Promise<void> {
    await this.#run(queue, async (backend) => {
      const job = await backend.getJobData(id);
      if (job) await backend.updateData(minimal(id, job), JSON.parse(text));
    });
  }

  async read(queue: QueueName, id: string): Promise<string | undefined> {
    return (await this.#run(queue, (backend) => backend.getJobData(id)))?.data;
  }

  async remove(queue: QueueName, id: string): Promise<void> {
    await this.#run(queue, (backend) => backend.remove(id, false));
  }

  count(queue: QueueName): Promise<number> {
    return this.#run(queue, async (backend) => (await backend.getCounts(['delayed']))[0] ?? 0);
  }

  /** Ids by time. */
  async ids(queue: QueueName, from: number, to: number, oldest: boolean): Promise<readonly string[]> {
    const [ids = []] = await this.#run(queue, (backend) => backend.getRanges(['delayed'], from, to, oldest));
    return ids;
  }

  /** Removes those that are too old or too many, or all. */
  async prune(queue: QueueName, all = false): Promise<ChoreResult> {
    const { ageMsMax, tasksMax } = this.kept;
    const most = all ? LIMITS.purgeTasksMax : LIMITS.pruneTasksMax;
    return this.#run(queue, async (backend) => {
      const [[total = 0], [old = 0]] = await Promise.all([
        backend.getCounts(['delayed']),
        backend.getCounts(['delayed'], Date.now() - ageMsMax + NEVER_MS),
      ]);
      const beyond = all ? total : Math.max(old, total - tasksMax);
      const count = Math.min(beyond, most);
      if (count === 0) return { count, more: false };
      const [ids = []] = await backend.getRanges(['delayed'], 0, count - 1, true);
      await Promise.all(ids.map((id) => backend.remove(id, false)));
      return { count: ids.length, more: beyond > count };
    });
  }

  /** One slice of removing everything. Whether there is more. */
  obliterate(queue: QueueName): Promise<boolean> {
    return this.#run(queue, async (backend) => {
      await backend.pause(true);
      return (await backend.obliterate({ force: true, count: LIMITS.purgeTasksMax })) !== 0;
    });
  }

  #run<T>(queue: QueueName, operation: (backend: IQueueBackend) => Promise<T>): Promise<T> {
    return this.store.run(`${queue}${this.suffix}`, operation);
  }
}
