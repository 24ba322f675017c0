import type { IQueueBackend, JobJson } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import type { Lease, LeasedTask, LeaseRequest } from '../core/ports/consumer.js';
import type { QueueName } from '../core/task.js';
import { jobErrorOf } from './bullmq-errors.js';
import type { Cancelled } from './cancelled.js';
import { firstDueAt } from './due.js';
import { errorsOf, failuresOf } from './job-errors.js';
import { taskIdOf } from './job-ids.js';
import { attemptOf, minimal, specOf } from './job-view.js';
import { lockOf, processedBy, writeToken } from './lease-token.js';
import type { Store } from './store.js';

/** Jobs asked for at once, at most; the first call asks for one, each further one for twice as many. */
const STRIDE_MAX = 64;
/** How long a job is set aside that cannot be leased here. Its own workers may have it then. */
const SET_ASIDE_MS = 60_000;

/** What `moveToActive` answers. */
type Taken = [job: JobJson | null, jobId: string, limitedMs?: number, nextDueAt?: number] | [];

/** Takes jobs one by one, which is what BullMQ has, but several calls at a time. */
export async function takeJobs(
  store: Store,
  cancelled: Cancelled,
  backend: IQueueBackend,
  { queue, workerId, requestId, max, leaseMs }: LeaseRequest,
): Promise<Left & { tasks: LeasedTask[] }> {
  const lock = lockOf(queue, workerId, requestId);
  const name = processedBy(workerId, lock);
  const taken: LeasedTask[] = [];
  const jobIds: string[] = [];
  let nextDueAt = 0;
  for (
    let stride = 1, empty = false;
    taken.length < max && !empty;
    stride = Math.min(STRIDE_MAX, stride * 2)
  ) {
    const calls = Array.from({ length: Math.min(stride, max - taken.length) }, () =>
      backend.moveToActive(lock, name),
    );
    for (const [job, jobId, limitedMs = 0, dueAt = 0] of (await Promise.all(calls)) as Taken[]) {
      if (!job) {
        empty = true;
        nextDueAt = limitedMs > 0 ? Date.now() + limitedMs : dueAt;
        continue;
      }
      const task = await leasedTask(store, cancelled, backend, queue, jobId!, job, lock, leaseMs);
      if (!task) continue;
      taken.push(task);
      jobIds.push(jobId!);
    }
  }
  if (leaseMs !== LIMITS.leaseMsDefault && taken.length > 0) {
    const locks = jobIds.map(() => lock);
    await backend.extendLocks(jobIds, locks, leaseMs);
  }
  return { tasks: taken, ...(await whatIsLeft(backend, nextDueAt)) };
}

/** What is left in a queue. */
export interface Left extends Omit<Lease, 'tasks'> {
  /** As many jobs run as may. */
  full?: boolean;
}

/** What waits, for a lease that takes nothing and for the end of one that does. */
export async function whatIsLeft(backend: IQueueBackend, nextDueAt = 0): Promise<Left> {
  const [[waiting = 0, prioritized = 0, delayed = 0], paused, full, limitedMs] = await Promise.all([
    backend.getCounts(['wait', 'prioritized', 'delayed']),
    backend.hasQueueMetaField('paused'),
    backend.isMaxed(),
    backend.getRateLimitTtl(),
  ]);
  const more = waiting + prioritized > 0 && !paused && !full && limitedMs <= 0;
  if (nextDueAt > 0) return { more, full, nextDueInMs: nextDueAt - Date.now() };
  const due = delayed > 0 ? await firstDueAt(backend) : undefined;
  return due === undefined ? { more, full } : { more, full, nextDueInMs: due - Date.now() };
}

/** The job as a task with a lease, or `undefined` where it is none for our workers. */
async function leasedTask(
  store: Store,
  cancelled: Cancelled,
  backend: IQueueBackend,
  queue: QueueName,
  jobId: string,
  job: JobJson,
  lock: string,
  leaseMs: number,
): Promise<LeasedTask | undefined> {
  if (job.repeatJobKey !== undefined) await scheduleNext(store, queue, jobId, job);
  if (job.deferredFailure !== undefined) {
    // It has lost its lock too often, or a child of it has failed: whoever takes it ends it.
    await endDeferred(backend, jobId, job, lock);
    return undefined;
  }
  // Whoever had it before was asked to stop, and is gone.
  if (job.attemptsStarted > 1 && (await cancelled.isAsked(queue, jobId, job))) {
    await cancelled.end(backend, { queue, jobId, job, lock });
    return undefined;
  }
  const id = taskIdOf(queue, jobId);
  if (id === undefined) {
    await backend.moveToDelayed(jobId, Date.now(), SET_ASIDE_MS, lock, { skipAttempt: true });
    return undefined;
  }
  return {
    ...specOf(job),
    id,
    queue,
    createdAt: job.timestamp,
    attempt: attemptOf(job, true),
    failures: failuresOf(job),
    crashes: job.stalledCounter,
    errors: errorsOf(job),
    leaseToken: writeToken(lock, jobId, job),
    leaseExpiresAt: Date.now() + leaseMs,
  };
}

async function endDeferred(backend: IQueueBackend, jobId: string, job: JobJson, lock: string): Promise<void> {
  const reason = job.deferredFailure!;
  try {
    await backend.moveToFailed(minimal(jobId, job), reason, job.opts.removeOnFail!, lock, false, {
      failedReason: reason,
    });
  } catch (error) {
    if (jobErrorOf(error) === undefined) throw error;
  }
}

/** As BullMQ's worker does when it has taken a job of a schedule: the next one is made, else the schedule would end here. */
async function scheduleNext(store: Store, queue: QueueName, jobId: string, job: JobJson): Promise<void> {
  const { repeat } = job.opts as {
    repeat?: Parameters<ReturnType<Store['schedulerOf']>['upsertJobScheduler']>[1];
  };
  if (!repeat) return;
  try {
    const data: unknown = JSON.parse(job.data);
    await store.schedulerOf(queue).upsertJobScheduler(job.repeatJobKey!, repeat, job.name, data, job.opts, {
      override: false,
      producerId: jobId,
    });
  } catch (error) {
    // The job itself is ours all the same.
    if (jobErrorOf(error) === undefined && !(error instanceof SyntaxError))
      store.warn(`The schedule ${job.repeatJobKey} of queue ${queue} could not go on`, error);
  }
}
