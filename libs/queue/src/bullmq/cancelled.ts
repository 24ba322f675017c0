import type { IQueueBackend, JobJson } from 'bullmq';
import { LIMITS, RETENTION } from '../core/limits.js';
import type { ChoreResult } from '../core/ports.js';
import type { QueueName, Task, TaskId } from '../core/task.js';
import { taskIdOf } from './job-ids.js';
import { minimal, taskOf } from './job-view.js';
import { jobErrorOf } from './bullmq-errors.js';
import type { Store } from './store.js';

/** What we add to a queue's name. Names of ours have no `~`, so it is never one of them. */
const SUFFIX = '~cancelled';
/** The same, of those that were asked to stop. */
const ASKED_SUFFIX = '~asked';
/** So long after its cancellation a job would be due: longer than any is kept. */
const NEVER_MS = LIMITS.delayMsMax;

/** What BullMQ says of a job that was asked to stop, and has. */
export const CANCELLED_REASON = 'fairlane: cancelled';

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
    await this.#run(queue, (backend) => note(backend, jobId, JSON.stringify(kept), at));
  }

  /**
   * Cancels a job that waits. BullMQ has no removal that minds the state of a job, so it is looked at once more right before.
   *
   * @returns whether it could be: else it has moved on, or is the next one of a schedule
   */
  async cancel(queue: QueueName, jobId: string, job: JobJson): Promise<boolean> {
    await this.keep(queue, jobId, job, Date.now());
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
    await this.keep(queue, jobId, job, Date.now());
    try {
      // The one step that ends a job and removes it.
      await backend.moveToFailed(minimal(jobId, job), CANCELLED_REASON, true, lock, false);
    } catch (error) {
      await this.forget(queue, jobId);
      throw error;
    }
    await this.unask(queue, jobId);
  }

  /** Notes that whoever runs the job is to stop. */
  async ask(queue: QueueName, jobId: string, job: JobJson): Promise<void> {
    await this.#runAsked(queue, (backend) => note(backend, jobId, String(job.timestamp), Date.now()));
  }

  /** Whether this very job was asked to stop, and not an earlier one of its id. */
  async isAsked(queue: QueueName, jobId: string, job: JobJson): Promise<boolean> {
    const asked = await this.#runAsked(queue, (backend) => backend.getJobData(jobId));
    return asked?.data === String(job.timestamp);
  }

  async unask(queue: QueueName, jobId: string): Promise<void> {
    await this.#runAsked(queue, (backend) => backend.remove(jobId, false));
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

  /** Removes those beyond retention, or all; and what was asked of jobs that have ended since. */
  async prune(queue: QueueName, all = false): Promise<ChoreResult> {
    const asked = await this.#runAsked(queue, (backend) => prune(backend, false));
    const cancelled = await this.#run(queue, (backend) => prune(backend, all));
    return { count: cancelled.count, more: cancelled.more || asked.more };
  }

  /** One slice of removing everything. Whether there is more. */
  async obliterate(queue: QueueName): Promise<boolean> {
    const left = await Promise.all([this.#run(queue, obliterate), this.#runAsked(queue, obliterate)]);
    return left.some(Boolean);
  }

  async #kept(queue: QueueName, jobId: string): Promise<Kept | undefined> {
    const job = await this.#run(queue, (backend) => backend.getJobData(jobId));
    return job && (JSON.parse(job.data) as Kept);
  }

  #run<T>(queue: QueueName, operation: (backend: IQueueBackend) => Promise<T>): Promise<T> {
    return this.store.run(`${queue}${SUFFIX}`, operation);
  }

  #runAsked<T>(queue: QueueName, operation: (backend: IQueueBackend) => Promise<T>): Promise<T> {
    return this.store.run(`${queue}${ASKED_SUFFIX}`, operation);
  }
}

/** Instead of an earlier one, as a job that never falls due. */
async function note(backend: IQueueBackend, jobId: string, data: string, at: number): Promise<void> {
  await backend.remove(jobId, false);
  const opts = { jobId, delay: NEVER_MS, timestamp: at };
  const job = { id: jobId, name: 'note', data, opts, timestamp: at, delay: NEVER_MS, progress: 0 };
  const nothing = {
    attemptsMade: 0,
    attemptsStarted: 0,
    stalledCounter: 0,
    failedReason: '',
    returnvalue: '',
  };
  await backend.addJob({ ...job, ...nothing }, jobId);
}

async function prune(backend: IQueueBackend, all: boolean): Promise<ChoreResult> {
  const { ageMsMax, tasksMax } = RETENTION.cancelled;
  const most = all ? LIMITS.purgeTasksMax : LIMITS.pruneTasksMax;
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
}

async function obliterate(backend: IQueueBackend): Promise<boolean> {
  await backend.pause(true);
  return (await backend.obliterate({ force: true, count: LIMITS.purgeTasksMax })) !== 0;
}

/** As it was, but that it has ended. */
function viewOf(id: TaskId, queue: QueueName, { job, at }: Kept): Task {
  return { ...taskOf(id, queue, job, 'cancelled'), finishedAt: at };
}
