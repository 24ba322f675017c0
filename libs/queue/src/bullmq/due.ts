import type { IQueueBackend } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import { jobErrorOf } from './bullmq-errors.js';
import { errorsOf } from './job-errors.js';

/**
 * Makes due jobs wait. BullMQ does so whenever a job is taken; this is for queues of which nobody takes any, so that their
 * jobs are seen, and their workers woken, in time.
 */
export async function promoteDue(backend: IQueueBackend): Promise<ChoreResult> {
  // Counts those before a moment.
  const [due = 0] = await backend.getCounts(['delayed'], Date.now() + 1);
  let count = 0;
  if (due > 0) {
    const [ids = []] = await backend.getRanges(['delayed'], 0, Math.min(due, LIMITS.choreTasksMax) - 1, true);
    // In their order.
    for (const id of ids) if (await promote(backend, id)) count += 1;
  }
  const at = await firstDueAt(backend);
  const result = { count, more: due > LIMITS.choreTasksMax };
  return at === undefined ? result : { ...result, nextInMs: at - Date.now() };
}

/** When the first delayed job is due, as far as its fields tell; BullMQ itself does not. */
export async function firstDueAt(backend: IQueueBackend): Promise<number | undefined> {
  const [[first] = []] = await backend.getRanges(['delayed'], 0, 0, true);
  const job = first === undefined ? undefined : await backend.getJobData(first);
  if (!job?.delay) return undefined;
  const since = job.attemptsStarted > 0 ? (errorsOf(job).at(-1)?.at ?? job.timestamp) : job.timestamp;
  return since + job.delay;
}

async function promote(backend: IQueueBackend, jobId: string): Promise<boolean> {
  try {
    await backend.promote(jobId);
    return true;
  } catch (error) {
    // Somebody else has, or has cancelled it.
    if (jobErrorOf(error) === undefined) throw error;
    return false;
  }
}
