import type { JobJson } from 'bullmq';
import { splitTaskId } from '../core/names.js';
import { checkNewTask } from '../core/new-task.js';
import type { NewTask } from '../core/ports/producer.js';
import { DEFAULT_RETRY } from '../core/retry.js';
import type { QueueName, RetryPolicy, Task } from '../core/task.js';
import { taskIdOf } from './job-ids.js';
import { policyOf, readExtra } from './job-options.js';
import { specOf } from './job-view.js';

/** No task of anybody's starts then: one that has arrived, and whose job is not gone yet, is due at this moment. */
const HELD_UNTIL_MS = Date.UTC(9999, 0, 1);

/** What a job of BullMQ's is elsewhere, held; or why it cannot be. */
export function heldTask(queue: QueueName, jobId: string, job: JobJson): NewTask | string {
  const id = taskIdOf(queue, jobId);
  if (id === undefined) return 'Its id is too long.';
  if (job.repeatJobKey !== undefined) return 'It is the next job of a schedule.';
  if (job.parentKey !== undefined) return 'It is part of a flow.';
  const { type, priority, payload, timeoutMs, tags, metadata } = specOf(job);
  const { key } = splitTaskId(id);
  const idempotency = readExtra(job.opts)?.idempotency;
  const task = { type, queue, key, priority, payload, timeoutMs, tags, metadata, idempotency };
  const held = { ...task, retry: retryOf(job), runAtMs: HELD_UNTIL_MS };
  try {
    checkNewTask(held);
    return held;
  } catch (error) {
    return (error as Error).message;
  }
}

export function isHeld(task: Task | undefined): boolean {
  return task?.state === 'scheduled' && task.dueAt === HELD_UNTIL_MS;
}

/** With the attempts that are left. */
function retryOf(job: JobJson): RetryPolicy | undefined {
  const extra = readExtra(job.opts);
  const policy = extra ? extra.retry : policyOf(job.opts);
  if (job.attemptsMade === 0) return policy;
  const { maxAttempts, ...rest } = policy ?? DEFAULT_RETRY;
  return { maxAttempts: Math.max(1, maxAttempts - job.attemptsMade), ...rest };
}
