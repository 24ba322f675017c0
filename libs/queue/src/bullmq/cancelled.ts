import type { IQueueBackend, JobJson } from 'bullmq';
import { RETENTION } from '../core/limits.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import { jobErrorOf } from './bullmq-errors.js';
import { taskIdOf } from './job-ids.js';
import { minimal, taskOf } from './job-view.js';
import { Notes } from './notes.js';
import type { Store } from './store.js';

/** What BullMQ says of a job that was asked to stop, and has. */
export const CANCELLED_REASON = 'fairlane: cancelled';

interface Kept {
  job: JobJson;
  at: number;
}

/**
 * BullMQ has no state for cancelled jobs: they are removed. What they were is kept beside their queue, so that cancelled
 * tasks are seen and can be retried. A task is cancelled where only its note is left: whatever stops in between, a job that
 * is still in its own queue is alive.
 */
export class Cancelled {
  private readonly jobs: Notes;
  /** Jobs that run and are to stop, each with its time of acceptance: another one may have its id later. */
  private readonly asked: Notes;

  constructor(private readonly store: Store) {
    this.jobs = new Notes(store, '~cancelled', RETENTION.cancelled);
    this.asked = new Notes(store, '~asked', RETENTION.cancelled);
  }

  /**
   * Cancels a job that waits. BullMQ has no removal that minds the state of a job, so it is looked at once more right before.
   *
   * @returns whether it could be: else it has moved on, or is the next one of a schedule
   */
  async cancel(queue: QueueName, jobId: string, job: JobJson): Promise<boolean> {
    await this.keep(queue, jobId, job);
    const removed = await this.store.run(queue, async (backend) => {
      const now = await backend.getJobData(jobId);
      if (now?.attemptsStarted !== job.attemptsStarted || now.finishedOn !== undefined) return false;
      try {
        return (await backend.remove(jobId, false)) === 1;
      } catch (error) {
        if (jobErrorOf(error) === undefined) throw error;
        return false;
      }
    });
    if (!removed) await this.forget(queue, jobId);
    return removed;
  }

  /** Ends a job whose lock is held as cancelled. @throws what BullMQ says where the lock is not held */
  async end(
    backend: IQueueBackend,
    { queue, jobId, job, lock }: { queue: QueueName; jobId: string; job: JobJson; lock: string },
  ): Promise<void> {
    await this.keep(queue, jobId, job);
    try {
      // The one step that ends a job and removes it.
      await backend.moveToFailed(minimal(jobId, job), CANCELLED_REASON, true, lock, false);
    } catch (error) {
      // Of a lost reply nobody knows: then the note decides only if the job is gone.
      if (jobErrorOf(error) !== undefined) await this.forget(queue, jobId);
      throw error;
    }
    await this.unask(queue, jobId);
  }

  /** Notes that whoever runs the job is to stop. */
  ask(queue: QueueName, jobId: string, job: JobJson): Promise<void> {
    return this.asked.write(queue, jobId, String(job.timestamp), Date.now());
  }

  async isAsked(queue: QueueName, jobId: string, job: JobJson): Promise<boolean> {
    return (await this.asked.read(queue, jobId)) === String(job.timestamp);
  }

  unask(queue: QueueName, jobId: string): Promise<void> {
    return this.asked.remove(queue, jobId);
  }

  forget(queue: QueueName, jobId: string): Promise<void> {
    return this.jobs.remove(queue, jobId);
  }

  /** Of a task that its own queue has not. */
  async find(queue: QueueName, jobId: string): Promise<JobJson | undefined> {
    return (await this.kept(queue, jobId))?.job;
  }

  async task(id: TaskId, queue: QueueName, jobId: string): Promise<Task | undefined> {
    const kept = await this.kept(queue, jobId);
    return kept && viewOf(id, queue, kept);
  }

  count(queue: QueueName): Promise<number> {
    return this.jobs.count(queue);
  }

  /** By the time of cancellation. */
  async slice(
    queue: QueueName,
    from: number,
    to: number,
    oldest: boolean,
  ): Promise<{ ids: readonly string[]; tasks: Task[] }> {
    const ids = await this.jobs.ids(queue, from, to, oldest);
    const tasks = await Promise.all(
      ids.map(async (jobId) => {
        const id = taskIdOf(queue, jobId);
        const isAlive = await this.store.run(queue, (backend) => backend.getJobData(jobId));
        return id === undefined || isAlive ? undefined : this.task(id, queue, jobId);
      }),
    );
    return { ids, tasks: tasks.filter((task) => task !== undefined) };
  }

  /** Removes those beyond retention, or all; and what was asked of jobs that have ended since. */
  async prune(queue: QueueName, all = false): Promise<ChoreResult> {
    const asked = await this.asked.prune(queue);
    const { count, more } = await this.jobs.prune(queue, all);
    return { count, more: more || asked.more };
  }

  /** One slice of removing everything. Whether there is more. */
  async obliterate(queue: QueueName): Promise<boolean> {
    const left = await Promise.all([this.jobs, this.asked].map((notes) => notes.obliterate(queue)));
    return left.some(Boolean);
  }

  /** Before the job is removed. */
  private keep(queue: QueueName, jobId: string, job: JobJson): Promise<void> {
    const at = Date.now();
    return this.jobs.write(queue, jobId, JSON.stringify({ job, at } satisfies Kept), at);
  }

  private async kept(queue: QueueName, jobId: string): Promise<Kept | undefined> {
    const text = await this.jobs.read(queue, jobId);
    return text === undefined ? undefined : (JSON.parse(text) as Kept);
  }
}

/** As it was, but that it has ended. */
function viewOf(id: TaskId, queue: QueueName, { job, at }: Kept): Task {
  return { ...taskOf(id, queue, job, 'cancelled'), finishedAt: at };
}
