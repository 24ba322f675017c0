import { QueueError } from './errors.js';
import { LIMITS } from './limits.js';
import { checkName, DEFAULT_TENANT } from './names.js';
import type { NewTask } from './ports/producer.js';
import { DEFAULT_PRIORITY, isPriority } from './priority.js';
import type { RetryPolicy } from './task.js';

/**
 * The rules for a submission, in one place for every backend and for programs that embed the engine. The API
 * checks the same through its DTOs, so that it can name every fault of a body at once; this names the first.
 *
 * @throws QueueError `invalid-task`, with a pointer
 */
export function checkNewTask(task: NewTask): void {
  checkName('type', task.type, '/type');
  if (task.queue !== undefined) checkName('queue', task.queue, '/queue');
  if (task.key !== undefined) checkName('key', task.key, '/id');
  if (task.tenant !== undefined) checkName('tenant', task.tenant, '/tenant');
  if (task.orderingKey !== undefined) checkName('key', task.orderingKey, '/orderingKey');
  if (task.idempotency) checkName('key', task.idempotency.key, '/idempotencyKey');
  if (task.priority !== undefined && !isPriority(task.priority)) {
    throw invalid('/priority', 'must be an integer from 1 to 6');
  }
  if (task.payload !== undefined && Buffer.byteLength(task.payload) > LIMITS.payloadBytesMax) {
    throw invalid('/payload', `must not be longer than ${LIMITS.payloadBytesMax} bytes of JSON`);
  }
  if (task.delayMs !== undefined && task.runAtMs !== undefined) {
    throw invalid('/runAt', 'must not be given together with delay');
  }
  checkInteger('/delay', task.delayMs, 0, LIMITS.delayMsMax);
  checkInteger('/runAt', task.runAtMs, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('/ttl', task.ttlMs, 1, LIMITS.delayMsMax);
  checkInteger('/timeout', task.timeoutMs, 1, LIMITS.timeoutMsMax);
  if (task.retry) checkRetry(task.retry);
  if (task.tags) checkTags(task.tags);
  if (task.metadata) checkMetadata(task.metadata);
}

export function checkRetry(retry: RetryPolicy): void {
  checkInteger('/retry/maxAttempts', retry.maxAttempts, 1, LIMITS.retryAttemptsMax);
  checkInteger('/retry/delay', retry.delayMs, 0, LIMITS.retryDelayMsMax);
  checkInteger('/retry/maxDelay', retry.maxDelayMs, 0, LIMITS.retryDelayMsMax);
  if (!['none', 'full', 'equal'].includes(retry.jitter)) {
    throw invalid('/retry/jitter', 'must be none, full or equal');
  }
  if (typeof retry.backoff === 'string') {
    if (!['exponential', 'linear', 'fixed'].includes(retry.backoff)) {
      throw invalid('/retry/backoff', 'must be exponential, linear, fixed or a list of delays');
    }
    return;
  }
  if (
    !Array.isArray(retry.backoff) ||
    retry.backoff.length < 1 ||
    retry.backoff.length > LIMITS.retryDelaysMax
  ) {
    throw invalid('/retry/backoff', `must have 1 to ${LIMITS.retryDelaysMax} delays`);
  }
  retry.backoff.forEach((delay: number, index: number) => {
    checkInteger(`/retry/backoff/${index}`, delay, 0, LIMITS.retryDelayMsMax);
  });
}

/** The values a backend stores for what a submission left out. */
export function withDefaults(task: NewTask) {
  return {
    tenant: task.tenant ?? DEFAULT_TENANT,
    priority: task.priority ?? DEFAULT_PRIORITY,
    tags: task.tags ?? [],
    metadata: task.metadata ?? {},
  };
}

function checkTags(tags: readonly string[]): void {
  if (tags.length > LIMITS.tagsMax)
    throw invalid('/tags', `must not have more than ${LIMITS.tagsMax} entries`);
  tags.forEach((tag, index) => checkName('tag', tag, `/tags/${index}`));
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  const entries = Object.entries(metadata);
  if (entries.length > LIMITS.metadataEntriesMax) {
    throw invalid('/metadata', `must not have more than ${LIMITS.metadataEntriesMax} entries`);
  }
  for (const [key, value] of entries) {
    checkName('metadataKey', key, `/metadata/${key}`);
    if (typeof value !== 'string' || value.length > LIMITS.metadataValueCharsMax) {
      throw invalid(`/metadata/${key}`, `must be text of at most ${LIMITS.metadataValueCharsMax} characters`);
    }
  }
}

function checkInteger(pointer: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return;
  throw invalid(pointer, `must be an integer from ${min} to ${max}`);
}

function invalid(pointer: string, rule: string): QueueError {
  return new QueueError('invalid-task', { message: `${pointer.slice(1)} ${rule}.`, pointer });
}
