import type { JobJson, MinimalJob } from 'bullmq';
import { DEFAULT_TENANT } from '../core/names.js';
import type { NewTask } from '../core/ports/producer.js';
import { withDefaults } from '../core/new-task.js';
import type { FailureReason, QueueName, Task, TaskId, TaskSpec, TaskState } from '../core/task.js';
import { errorsOf, failuresOf, isGivenUp } from './job-errors.js';
import { policyOf, priorityOf, readExtra } from './job-options.js';
import { workerOf } from './lease-token.js';

/** The reason that BullMQ gives where a job's lock lapsed too often. */
const STALLED = /^job stalled more than allowable limit$/;

/** What is fixed of a task, from its job. */
export function specOf(job: JobJson): TaskSpec {
  const extra = readExtra(job.opts);
  return {
    type: job.name,
    tenant: DEFAULT_TENANT,
    priority: priorityOf(job.priority),
    payload: extra?.payload === false ? undefined : job.data,
    retry: extra ? extra.retry : policyOf(job.opts),
    timeoutMs: extra?.timeoutMs,
    tags: extra?.tags ?? [],
    metadata: extra?.metadata ?? {},
  };
}

/** A task as its job tells it, in the state that the job is in. */
export function taskOf(id: TaskId, queue: QueueName, job: JobJson, state: TaskState): Task {
  const running = state === 'running';
  const result = job.returnvalue;
  return {
    ...specOf(job),
    id,
    queue,
    state,
    createdAt: job.timestamp,
    dueAt: state === 'scheduled' || state === 'retrying' ? dueAtOf(job) : undefined,
    startedAt: job.processedOn,
    finishedAt: job.finishedOn,
    attempt: attemptOf(job, running),
    failures: failuresOf(job),
    crashes: job.stalledCounter,
    errors: errorsOf(job),
    progress: job.progress === 0 ? undefined : JSON.stringify(job.progress),
    result: state === 'completed' && result !== 'null' ? result : undefined,
    workerId: running ? workerOf(job) : undefined,
    cancelRequested: false,
    failureReason: state === 'failed' ? failureReasonOf(job) : undefined,
  };
}

/** A task as it was accepted, whatever became of its job. */
export function acceptedTask(id: TaskId, queue: QueueName, task: NewTask, now: number): Task {
  const dueAt = task.runAtMs ?? now + (task.delayMs ?? 0);
  const scheduled = dueAt > now;
  return {
    ...withDefaults(task),
    type: task.type,
    payload: task.payload,
    retry: task.retry,
    timeoutMs: task.timeoutMs,
    id,
    queue,
    state: scheduled ? 'scheduled' : 'pending',
    createdAt: now,
    dueAt: scheduled ? dueAt : undefined,
    attempt: 0,
    failures: 0,
    crashes: 0,
    errors: [],
    cancelRequested: false,
  };
}

/** Starts that have ended as failures, completions or lost locks, and the one under way. BullMQ's own count has releases, too. */
export function attemptOf(job: JobJson, running: boolean): number {
  return job.attemptsMade + job.stalledCounter + (running ? 1 : 0);
}

/**
 * When a delayed job is due, where its fields tell: BullMQ keeps the delay, and not from when on it counts. It is the
 * beginning unless the delay was changed, and after a failure that was reported here, the time of that.
 */
export function dueAtOf(job: JobJson): number | undefined {
  const { delay = 0, opts, timestamp } = job;
  if (delay === 0) return undefined;
  if (job.attemptsStarted === 0) return delay === opts.delay ? timestamp + delay : undefined;
  const last = errorsOf(job).at(-1);
  return last && 'workerId' in last ? last.at + delay : undefined;
}

function failureReasonOf(job: JobJson): FailureReason {
  if (STALLED.test(job.failedReason ?? '')) return 'crashed';
  if (isGivenUp(job)) return 'not-retryable';
  return job.attemptsMade >= (readExtra(job.opts)?.retry ?? policyOf(job.opts)).maxAttempts
    ? 'attempts-exhausted'
    : 'not-retryable';
}

/** As much of a job as moving it takes. */
export function minimal(jobId: string, { opts }: JobJson): MinimalJob {
  return { id: jobId, opts } as MinimalJob;
}
