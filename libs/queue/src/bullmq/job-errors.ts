import type { JobJson } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import { storedError } from '../core/report.js';
import type { AttemptError, TaskError } from '../core/task.js';
import { workerOf } from './lease-token.js';

/*
 * A job keeps its failed attempts as texts that BullMQ calls stack traces. Ours are the message and, in a last line, the
 * rest as JSON, so that everybody who shows stack traces shows them.
 */

const OURS = '\nfairlane: ';

/** The stack traces of a job with one more, as BullMQ stores them. */
export function withError(
  job: JobJson,
  error: TaskError,
  now: number,
  retryable: boolean,
): { text: string; message: string } {
  const { message, ...rest } = storedError(error);
  const about = {
    attempt: job.attemptsMade + job.stalledCounter + 1,
    at: now,
    workerId: workerOf(job),
    ...rest,
    ...(retryable ? {} : { retryable }),
  };
  const limit = job.opts.stackTraceLimit ?? LIMITS.errorsKept;
  const all = [...tracesOf(job), `${message}${OURS}${JSON.stringify(about)}`];
  return { text: JSON.stringify(limit > 0 ? all.slice(-limit) : []), message };
}

/** Of an attempt that failed elsewhere the message is known, its place in the order, and no more: the time is that of the job. */
export function errorsOf(job: JobJson): AttemptError[] {
  const traces = tracesOf(job);
  const before = Math.max(0, failuresOf(job) - traces.length);
  return traces.slice(-LIMITS.errorsKept).map((trace, index) => {
    const at = trace.lastIndexOf(OURS);
    const about = at < 0 ? undefined : parsed(trace.slice(at + OURS.length));
    if (about) {
      const { retryable: _, ...error } = about as Omit<AttemptError, 'message'> & { retryable?: false };
      return { message: trace.slice(0, at), ...error };
    }
    const [line = ''] = trace.split('\n', 1);
    return {
      attempt: before + index + 1,
      at: job.finishedOn ?? job.processedOn ?? job.timestamp,
      message: line.replace(/^Error: /, '').slice(0, LIMITS.errorMessageCharsMax),
    };
  });
}

/** Whether whoever failed it last said that trying again would not help. */
export function isGivenUp(job: JobJson): boolean {
  const last = tracesOf(job).at(-1) ?? '';
  const at = last.lastIndexOf(OURS);
  return (
    at >= 0 &&
    (parsed(last.slice(at + OURS.length)) as { retryable?: boolean } | undefined)?.retryable === false
  );
}

/** How often it failed: a completion is an attempt that was made, too. */
export function failuresOf(job: JobJson): number {
  return Math.max(0, job.attemptsMade - (isCompleted(job) ? 1 : 0));
}

/** The field is there from the completion on, and gone when the job is retried. */
export function isCompleted(job: JobJson): boolean {
  return job.finishedOn !== undefined && typeof job.returnvalue === 'string';
}

function tracesOf(job: JobJson): string[] {
  const traces = parsed(job.stacktrace ?? '');
  return Array.isArray(traces) ? traces.filter((trace) => typeof trace === 'string') : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
