import type { IQueueBackend, JobJson } from 'bullmq';
import { LIMITS, RETENTION } from '../core/limits.js';
import type { ChoreResult } from '../core/ports.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import { taskIdOf } from './job-ids.js';
import { taskOf } from './job-view.js';
import type { Store } from './store.js';

/** What we add to a queue's name. Names of ours have no `~`, so it is never one of them. */
const SUFFIX = '~cancelled';
/** So long after its cancellation a job would be due: longer than any is kept. */
const NEVER_MS = LIMITS.delayMsMax;

interface Kept {
  job: JobJson;
  at: number;
}

/**
 * BullMQ has no state for cancelled jobs: they are removed. What they were is kept in a queue beside theirs, as jobs that
 * never fall due, so that cancelled tasks are seen and can be retried. A task is cancelled where only that queue has it:
 * whatever stops in between, a job that is still in its own queue is alive.
 */
export class Cancelled {
  constructor(private readonly store: Store) {}

  /** Before the job is removed. */
  async keep(queue: QueueName, jobId: string, job: JobJson, at: number): Promise<void> {
    const kept: Kept = { job, at };
    await this.#run(queue, async (backend) => {
      // Of an earlier cancellation, which was followed by a retry.
      await backend.remove(jobId, false);
      await backend.addJob(
        {
          ...job,
          name: 'cancelled',
          data: JSON.stringify(kept),
          opts: { jobId, delay: NEVER_MS, timestamp: at },
          timestamp: at,
        },
        jobId,
      );
    });
  }

  async forget(queue: QueueName, jobId: string): Promise<void> {
    await this.#run(queue, (backend) => backend.remove(jobId, false));
  }

  /** Of a task that its own queue has not. */
  async find(queue: QueueName, jobId: string): Promise<JobJson | undefined> {
    return (await this.#kept(queue, jobId))?.job;
  }

  async task(id: TaskId, queue: QueueName, jobId: string): Promise<Task | undefined> {
    const kept = await this.#kept(queue, jobId);
    return kept && viewOf(id, queue, kept);
  }

  count(queue: QueueName): Promise<number> {
    return this.#run(queue, async (backend) => (await backend.getCounts(['delayed']))[0] ?? 0);
  }

  /** By the time of cancellation. */
  async slice(
    queue: QueueName,
    from: number,
    to: number,
    oldest: boolean,
  ): Promise<{ ids: string[]; tasks: Task[] }> {
    const [ids = []] = await this.#run(queue, (backend) => backend.getRanges(['delayed'], from, to, oldest));
    const tasks = await Promise.all(
      ids.map(async (jobId) => {
        const id = taskIdOf(queue, jobId);
        const isAlive = await this.store.run(queue, (backend) => backend.getJobData(jobId));
        return id === undefined || isAlive ? undefined : this.task(id, queue, jobId);
      }),
    );
    return { ids: [...ids], tasks: tasks.filter((task) => task !== undefined) };
  }

  /** Removes those beyond retention, or all. */
  async prune(queue: QueueName, all = false): Promise<ChoreResult> {
    const { ageMsMax, tasksMax } = RETENTION.cancelled;
    const most = all ? LIMITS.purgeTasksMax : LIMITS.pruneTasksMax;
    return this.#run(queue, async (backend) => {
      const dueBefore = Date.now() - ageMsMax + NEVER_MS;
      const [[total = 0], [old = 0]] = await Promise.all([
        backend.getCounts(['delayed']),
        backend.getCounts(['delayed'], dueBefore),
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

  async #kept(queue: QueueName, jobId: string): Promise<Kept | undefined> {
    const job = await this.#run(queue, (backend) => backend.getJobData(jobId));
    return job && (JSON.parse(job.data) as Kept);
  }

  #run<T>(queue: QueueName, operation: (backend: IQueueBackend) => Promise<T>): Promise<T> {
    return this.store.run(`${queue}${SUFFIX}`, operation);
  }
}

/** As it was, but that it has ended. */
function viewOf(id: TaskId, queue: QueueName, { job, at }: Kept): Task {
  return { ...taskOf(id, queue, job, 'cancelled'), finishedAt: at };
}
