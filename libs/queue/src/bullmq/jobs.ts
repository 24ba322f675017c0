import type { IQueueBackend, JobJson } from 'bullmq';
import type { Task, TaskId, TaskState } from '../core/task.js';
import type { Cancelled } from './cancelled.js';
import { addressOf } from './job-ids.js';
import { isCompleted } from './job-errors.js';
import { taskOf } from './job-view.js';
import type { Store } from './store.js';

/** A job that moves on while it is looked at is looked at again, so often at most. */
const LOOKS_MAX = 3;

/** A task and the job that it is. */
export interface Found {
  job: JobJson;
  task: Task;
}

/** A task in constant time, however many wait; where its queue has none any more, as it was cancelled. */
export async function findTask(store: Store, cancelled: Cancelled, id: TaskId): Promise<Task | undefined> {
  const { queue, jobId } = addressOf(id);
  return (await findJob(store, cancelled, id))?.task ?? cancelled.task(id, queue, jobId);
}

/** A job in its own queue. */
export async function findJob(store: Store, cancelled: Cancelled, id: TaskId): Promise<Found | undefined> {
  const { queue, jobId } = addressOf(id);
  return store.run(queue, async (backend) => {
    let job = await backend.getJobData(jobId);
    for (let looks = 1; job; looks += 1) {
      const state = await stateOf(backend, jobId, job);
      // Found in no set: it was on its way from one to another, or it waits.
      if (state !== undefined || looks === LOOKS_MAX) {
        const task = taskOf(id, queue, job, state ?? 'pending');
        if (state === 'running') task.cancelRequested = await cancelled.isAsked(queue, jobId, job);
        return { job, task };
      }
      const again = await backend.getJobData(jobId);
      if (again && isUnmoved(job, again)) return { job, task: taskOf(id, queue, job, 'pending') };
      job = again;
    }
    return undefined;
  });
}

/**
 * The state of a job, from its fields where they tell it, and from the sets that are looked up in constant time. Only
 * among the running is there a search, and only for a job that has been started: their number is that of the workers. The
 * list of those that wait is never searched: `undefined` is what waits there.
 */
async function stateOf(backend: IQueueBackend, jobId: string, job: JobJson): Promise<TaskState | undefined> {
  if (job.finishedOn !== undefined) return isCompleted(job) ? 'completed' : 'failed';
  if ((job.delay ?? 0) > 0 && (await backend.isJobInState('delayed', jobId))) return delayedState(job);
  if (job.processedOn !== undefined) {
    if (job.priority && (await backend.isJobInState('prioritized', jobId))) return undefined;
    if (await backend.isJobInState('active', jobId)) return 'running';
  }
  // Waits for its children.
  if (await backend.isJobInState('waiting-children', jobId)) return 'scheduled';
  return undefined;
}

/** A job can be delayed by its own worker, too, without having failed. */
export function delayedState(job: JobJson): 'scheduled' | 'retrying' {
  return job.attemptsMade > 0 ? 'retrying' : 'scheduled';
}

function isUnmoved(before: JobJson, after: JobJson): boolean {
  return (
    ['finishedOn', 'processedOn', 'delay', 'attemptsStarted', 'attemptsMade', 'stalledCounter'] as const
  ).every((field) => before[field] === after[field]);
}
