import { QueueError } from '../core/errors.js';
import type { Extension, ExtendOutcome, Settlement, SettleOutcome } from '../core/ports/consumer.js';
import { storedError } from '../core/report.js';
import { DEFAULT_RETRY, retryDelayMs } from '../core/retry.js';
import type { TaskError, TaskState } from '../core/task.js';

import type { QueueState } from './queue-state.js';
import type { TaskRecord } from './record.js';
import { outcomeOf } from './worker-totals.js';

type Failing = Settlement & { action: 'fail' };

/** A settlement with the queue and the key its id names. */
export interface Addressed<T> {
  queue: QueueState;
  key: string;
  item: T;
}

/** Ends leases, in order. Those released together return to their lanes in the order in which they are named. */
export function settle(
  settlements: readonly Addressed<Settlement>[],
  random: () => number,
  now: number,
): SettleOutcome[] {
  const released: { queue: QueueState; record: TaskRecord }[] = [];
  const outcomes = settlements.map(({ queue, key, item }): SettleOutcome => {
    const record = queue.tasks.get(key);
    if (record?.settled?.token === item.leaseToken) return { status: 'settled', state: record.settled.state };
    const holding = findHeld(record, item);
    if (holding instanceof QueueError) return { status: 'refused', error: holding };
    queue.addLogs(holding, item.logs, now);
    const worker = holding.task.workerId ?? '';
    const state = apply(queue, holding, item, random, now);
    if (item.action === 'release' && state === 'pending') released.push({ queue, record: holding });
    queue.totals.count(worker, outcomeOf(item, state));
    holding.settled = { token: item.leaseToken, state };
    return { status: 'settled', state };
  });
  // Each goes to the head, so the one named first goes last.
  for (const { queue, record } of released.reverse()) queue.putBack(record);
  return outcomes;
}

/** Renews leases, with what their holders report. */
export function extend(
  extensions: readonly Addressed<Extension>[],
  leaseMs: number,
  now: number,
): ExtendOutcome[] {
  return extensions.map(({ queue, key, item }) => {
    const record = findHeld(queue.tasks.get(key), item);
    if (record instanceof QueueError) return { status: 'refused', error: record };
    const { task } = record;
    record.lease = { token: item.leaseToken, leaseMs };
    task.leaseExpiresAt = now + leaseMs;
    if (item.progress !== undefined) queue.setProgress(record, item.progress);
    queue.addLogs(record, item.logs, now);
    return {
      status: 'extended',
      leaseExpiresAt: task.leaseExpiresAt,
      cancelRequested: task.cancelRequested,
    };
  });
}

function findHeld(
  record: TaskRecord | undefined,
  { id, leaseToken }: { id: string; leaseToken: string },
): TaskRecord | QueueError {
  if (!record) return new QueueError('task-not-found', { taskId: id });
  if (record.lease?.token === leaseToken) return record;
  return new QueueError('lease-lost', { taskId: id, state: record.task.state });
}

function apply(
  queue: QueueState,
  record: TaskRecord,
  item: Settlement,
  random: () => number,
  now: number,
): TaskState {
  switch (item.action) {
    case 'complete':
      record.task.result = item.result;
      queue.end(record, 'completed', now);
      break;
    case 'release':
      record.task.attempt -= 1;
      if (item.retryAfterMs !== undefined) queue.holdBack(now + item.retryAfterMs);
      if (record.task.cancelRequested) queue.end(record, 'cancelled', now);
      else queue.putBack(record);
      break;
    case 'fail':
      fail(queue, record, item, random, now);
      break;
  }
  return record.task.state;
}

function fail(queue: QueueState, record: TaskRecord, item: Failing, random: () => number, now: number): void {
  const { task } = record;
  const policy = task.retry ?? item.defaultRetry ?? DEFAULT_RETRY;
  task.failures += 1;
  queue.addError(record, {
    attempt: task.attempt,
    at: now,
    workerId: task.workerId,
    // Kept as JSON, like everything a store keeps.
    ...(JSON.parse(JSON.stringify(storedError(item.error))) as TaskError),
  });
  if (task.cancelRequested) return queue.end(record, 'cancelled', now);
  if (item.retryable === false) return queue.end(record, 'failed', now, 'not-retryable');
  if (task.failures >= policy.maxAttempts) return queue.end(record, 'failed', now, 'attempts-exhausted');
  queue.count('retried', now);
  const delayMs = item.retryInMs ?? retryDelayMs(policy, task.failures, random());
  if (delayMs === 0) queue.append(record, now);
  else queue.postpone(record, 'retrying', now + delayMs);
}
