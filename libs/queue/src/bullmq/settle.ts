import type { IQueueBackend, JobJson } from 'bullmq';
import { QueueError } from '../core/errors.js';
import type { Settlement, SettleOutcome } from '../core/ports/consumer.js';
import { DEFAULT_RETRY, retryDelayMs } from '../core/retry.js';
import type { QueueName, TaskState } from '../core/task.js';
import { JOB_ERRORS, jobErrorOf, tooDeep } from './bullmq-errors.js';
import type { Cancelled } from './cancelled.js';
import { isCompleted, withError } from './job-errors.js';
import { policyOf, readExtra } from './job-options.js';
import { minimal } from './job-view.js';
import { isLatest, type LeaseToken, readToken } from './lease-token.js';
import { addLines } from './log-lines.js';

/** Ends one lease. */
export async function settleJob(
  backend: IQueueBackend,
  cancelled: Cancelled,
  held: { queue: QueueName; jobId: string; settlement: Settlement },
  random: () => number,
): Promise<SettleOutcome> {
  const { queue, jobId, settlement } = held;
  const refuse = (code: 'task-not-found' | 'lease-lost' | 'wrong-state'): SettleOutcome => ({
    status: 'refused',
    error: new QueueError(code, { taskId: settlement.id }),
  });
  const job = await backend.getJobData(jobId);
  if (!job) return refuse((await cancelled.find(queue, jobId)) ? 'lease-lost' : 'task-not-found');
  const token = readToken(settlement.leaseToken, jobId);
  // Another lease of the same request would have the same lock.
  if (!token || job.attemptsStarted !== token.started) return refuse('lease-lost');
  try {
    await writeLogs(backend, jobId, job, token, settlement.logs);
    if (settlement.action !== 'complete' && (await cancelled.isAsked(queue, jobId, job))) {
      const ended = settlement.action === 'fail' ? failedJob(job, settlement) : job;
      await cancelled.end(backend, { queue, jobId, job: ended, lock: token.lock });
      return { status: 'settled', state: 'cancelled' };
    }
    return { status: 'settled', state: await move(backend, jobId, job, token, settlement, random) };
  } catch (error) {
    if (error instanceof RangeError) return { status: 'refused', error: tooDeep('/result') };
    switch (jobErrorOf(error)) {
      case JOB_ERRORS.missing:
        return refuse('task-not-found');
      case JOB_ERRORS.lockMissing:
      case JOB_ERRORS.lockMismatch:
      case JOB_ERRORS.notInState: {
        const state = await stateItLedTo(backend, jobId, token);
        return state ? { status: 'settled', state } : refuse('lease-lost');
      }
      case JOB_ERRORS.pendingChildren:
      case JOB_ERRORS.failedChildren:
        return refuse('wrong-state');
      default:
        throw error;
    }
  }
}

async function move(
  backend: IQueueBackend,
  jobId: string,
  job: JobJson,
  { lock }: LeaseToken,
  settlement: Settlement,
  random: () => number,
): Promise<TaskState> {
  if (settlement.action === 'release') {
    await backend.moveJobFromActiveToWait(jobId, lock);
    return 'pending';
  }
  if (settlement.action === 'complete') {
    const result: unknown = settlement.result === undefined ? undefined : JSON.parse(settlement.result);
    await backend.moveToCompleted(minimal(jobId, job), result, job.opts.removeOnComplete!, lock, false);
    return 'completed';
  }
  const now = Date.now();
  const { text, message } = withError(job, settlement.error, now, settlement.retryable !== false);
  const fieldsToUpdate = { failedReason: message, stacktrace: text };
  const delayMs = retryInMs(job, settlement, random);
  if (delayMs === undefined) {
    await backend.moveToFailed(
      minimal(jobId, job),
      message,
      job.opts.removeOnFail!,
      lock,
      false,
      fieldsToUpdate,
    );
    return 'failed';
  }
  if (delayMs > 0) {
    await backend.moveToDelayed(jobId, now, delayMs, lock, { fieldsToUpdate });
    return 'retrying';
  }
  await backend.retryJob(jobId, false, lock, { fieldsToUpdate });
  return 'pending';
}

/** A job as it is with one more failure. */
function failedJob(job: JobJson, { error }: Extract<Settlement, { action: 'fail' }>): JobJson {
  const { text } = withError(job, error, Date.now(), true);
  return { ...job, attemptsMade: job.attemptsMade + 1, stacktrace: text };
}

/** When the job is tried again; `undefined` for never. */
function retryInMs(
  job: JobJson,
  { retryable = true, retryInMs: given, defaultRetry }: Extract<Settlement, { action: 'fail' }>,
  random: () => number,
): number | undefined {
  const extra = readExtra(job.opts);
  const policy = extra ? (extra.retry ?? defaultRetry ?? DEFAULT_RETRY) : policyOf(job.opts);
  const failures = job.attemptsMade + 1;
  if (!retryable || failures >= policy.maxAttempts) return undefined;
  return given ?? retryDelayMs(policy, failures, random());
}

/** Lines of a lease that is held; the lock says so. */
async function writeLogs(
  backend: IQueueBackend,
  jobId: string,
  job: JobJson,
  { lock }: LeaseToken,
  logs: readonly string[] | undefined,
): Promise<void> {
  if (!logs?.length) return;
  // Moves the deadline of a lease that ends with this call: nothing else of BullMQ's tells whether a lock is held.
  const failed = await backend.extendLocks([jobId], [lock], LOOK_MS);
  if (failed.length === 0) await addLines(backend, jobId, job, logs);
}

/** Long enough for the settlement that follows. */
const LOOK_MS = 10_000;

/**
 * What the settlement led to that ended this lease, where it is known: nobody has started the job since, and its counts
 * have changed as by a settlement and not by a lapse of the lock.
 */
async function stateItLedTo(
  backend: IQueueBackend,
  jobId: string,
  token: LeaseToken,
): Promise<TaskState | undefined> {
  const job = await backend.getJobData(jobId);
  if (!job || !isLatest(token, job) || job.stalledCounter !== token.stalled) return undefined;
  if (job.attemptsMade === token.made + 1) {
    if (job.finishedOn !== undefined) return isCompleted(job) ? 'completed' : 'failed';
    return (job.delay ?? 0) > 0 ? 'retrying' : 'pending';
  }
  if (job.attemptsMade !== token.made || job.finishedOn !== undefined) return undefined;
  // Given back, unless its lock has lapsed and nobody has noticed yet.
  return (await backend.isJobInState('active', jobId)) ? undefined : 'pending';
}
