import type { NewTask } from '../core/ports/producer.js';
import type { QueueName, RetryPolicy } from '../core/task.js';

let queuesMade = 0;

/** A queue name no other test uses, in this process or another. */
export function uniqueQueue(label = 'q'): QueueName {
  queuesMade += 1;
  return `${label}-${process.pid.toString(36)}-${Date.now().toString(36)}-${queuesMade}`;
}

/** A valid submission. */
export function newTask(given: Partial<NewTask> = {}): NewTask {
  return { type: 'test.task', payload: '{"n":1}', ...given };
}

/** A policy without randomness: 10 attempts, a second apart. */
export function retryPolicy(given: Partial<RetryPolicy> = {}): RetryPolicy {
  return { maxAttempts: 10, backoff: 'fixed', delayMs: 1_000, maxDelayMs: 60_000, jitter: 'none', ...given };
}
