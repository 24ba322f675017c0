import type { JobJson, JobsOptions } from 'bullmq';
import { LIMITS, RETENTION } from '../core/limits.js';
import { withDefaults } from '../core/new-task.js';
import type { NewTask } from '../core/ports/producer.js';
import { DEFAULT_RETRY } from '../core/retry.js';
import type { Priority, RetryPolicy } from '../core/task.js';

/*
 * What a submission is as the options of a job. What BullMQ has no option for is JSON text in one more, `fairlane`, which
 * its workers carry along and ignore.
 */

const SECOND_MS = 1_000;

/** What is in the option `fairlane`. */
export interface Extra {
  /** The submission that stored the job, so that of two with one id it is known which. */
  nonce: string;
  /** Where the submission had one. It goes with the job where that is moved. */
  idempotency?: NewTask['idempotency'];
  tags?: readonly string[];
  metadata?: Readonly<Record<string, string>>;
  timeoutMs?: number;
  /** The task's own policy. `attempts` and `backoff` say the default where there is none. */
  retry?: RetryPolicy;
  delayMs?: number;
  runAtMs?: number;
  /** False for a task without a payload: a job always has some data. */
  payload?: false;
}

type Options = JobsOptions & { fairlane?: string };

export function optionsOf(task: NewTask, jobId: string, nonce: string, now: number): Options {
  const { attempts, backoff } = attemptsOf(task.retry ?? DEFAULT_RETRY);
  const delay = Math.max(0, task.runAtMs === undefined ? (task.delayMs ?? 0) : task.runAtMs - now);
  return {
    jobId,
    timestamp: now,
    priority: bullPriority(withDefaults(task).priority),
    attempts,
    ...(backoff ? { backoff } : {}),
    ...(delay > 0 ? { delay } : {}),
    removeOnComplete: keep(RETENTION.completed),
    removeOnFail: keep(RETENTION.failed),
    stackTraceLimit: LIMITS.errorsKept,
    keepLogs: LIMITS.logLinesKept,
    fairlane: JSON.stringify({ nonce, idempotency: task.idempotency, ...extraOf(task) } satisfies Extra),
  };
}

/** Our part of a job's options; `undefined` where somebody else stored the job. */
export function readExtra(options: JobsOptions): Extra | undefined {
  const text = (options as Options).fairlane;
  if (typeof text !== 'string') return undefined;
  try {
    const extra: unknown = JSON.parse(text);
    return typeof extra === 'object' && extra !== null ? (extra as Extra) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a job is what this submission would have stored. */
export function isSameSubmission(job: JobJson, extra: Extra, task: NewTask): boolean {
  const { nonce: _, idempotency: __, ...stored } = extra;
  return (
    job.name === task.type &&
    dataOf(task) === job.data &&
    (job.opts.priority ?? 0) === bullPriority(withDefaults(task).priority) &&
    JSON.stringify(stored) === JSON.stringify(extraOf(task))
  );
}

/** A job's data. Without a payload it is what BullMQ itself stores for none. */
export function dataOf({ payload }: NewTask): string {
  return payload ?? '{}';
}

/** BullMQ begins with 0, which stands for none, and goes on upwards; 6 is our first. */
export function bullPriority(priority: Priority): number {
  return 7 - priority;
}

/** Jobs without a priority, 0, start before all that have one, as ours of 6 do. */
export function priorityOf(bull: number | undefined): Priority {
  return Math.min(6, Math.max(1, 7 - (bull || 1))) as Priority;
}

/**
 * A policy as BullMQ's own workers follow it. Its jitter is a share of the delay that is random; ours are none of it, half
 * and all. That no delay is beyond `maxDelayMs` is for the caller to see to (`retry-delays`).
 */
function attemptsOf({
  maxAttempts,
  backoff,
  delayMs,
  jitter,
}: RetryPolicy): Pick<JobsOptions, 'attempts' | 'backoff'> {
  if (maxAttempts === 1) return { attempts: 1 };
  const type = backoff === 'exponential' ? backoff : 'fixed';
  return { attempts: maxAttempts, backoff: { type, delay: delayMs, jitter: JITTERS[jitter] } };
}

/** The policy of a job that somebody else stored; without a strategy of theirs that only their workers know. */
export function policyOf({ attempts, backoff }: JobsOptions): RetryPolicy {
  const {
    type,
    delay = 0,
    jitter = 0,
  } = typeof backoff === 'object' ? backoff : { type: 'fixed', delay: backoff };
  const known = type === 'fixed' ? 'fixed' : 'exponential';
  return {
    maxAttempts: Math.min(Math.max(1, attempts ?? 1), LIMITS.retryAttemptsMax),
    backoff: known,
    delayMs: type === known ? Math.min(delay, LIMITS.retryDelayMsMax) : DEFAULT_RETRY.delayMs,
    maxDelayMs: LIMITS.retryDelayMsMax,
    jitter: jitter === 0 ? 'none' : jitter <= JITTERS.equal ? 'equal' : 'full',
  };
}

const JITTERS = { none: 0, equal: 0.5, full: 1 } as const;

function keep({ ageMsMax, tasksMax }: { ageMsMax: number; tasksMax: number }) {
  return { age: ageMsMax / SECOND_MS, count: tasksMax };
}

/** In one order, and without what is not there, so that equal submissions are equal texts. */
function extraOf({
  tags,
  metadata,
  timeoutMs,
  retry,
  delayMs,
  runAtMs,
  payload,
}: NewTask): Omit<Extra, 'nonce' | 'idempotency'> {
  const some = metadata && Object.keys(metadata).length > 0 ? metadata : undefined;
  return {
    tags: tags && tags.length > 0 ? tags : undefined,
    metadata: some && Object.fromEntries(Object.entries(some).sort(([a], [b]) => (a < b ? -1 : 1))),
    timeoutMs,
    retry: retry && ordered(retry),
    delayMs,
    runAtMs,
    payload: payload === undefined ? false : undefined,
  };
}

function ordered({ maxAttempts, backoff, delayMs, maxDelayMs, jitter }: RetryPolicy): RetryPolicy {
  return { maxAttempts, backoff, delayMs, maxDelayMs, jitter };
}
