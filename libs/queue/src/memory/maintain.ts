import { LIMITS, RETENTION } from '../core/limits.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import { TERMINAL_STATES, type TerminalState } from '../core/task.js';
import { nextStart, startsNow } from './allowance.js';
import { compareText, deadlineOf, dueAt, type QueueState } from './queue-state.js';
import type { TaskRecord } from './record.js';

/** Makes due tasks pending, and expires waiting ones whose time to start has passed. */
export function promote(queue: QueueState, now: number): ChoreResult {
  const promoted = promoteDue(queue, LIMITS.choreTasksMax, now);
  queue.lanes.rejoinDue(now);
  const overdue = expirable(queue).filter((record) => expiresAt(record) <= now);
  const expired = overdue.slice(0, LIMITS.choreTasksMax);
  for (const record of expired) queue.end(record, 'expired', now);
  // The worker that was given the token may have died.
  if (!queue.lanes.isIdle && startsNow(queue, now) > 0) queue.ring();
  const next = Math.min(nextDueAt(queue), nextExpiryAt(queue));
  const nextAt = Math.min(next, nextStart(queue, now));
  return {
    count: promoted + expired.length,
    more: next <= now,
    nextInMs: nextAt === Infinity ? undefined : nextAt - now,
  };
}

/** Returns how many. */
export function promoteDue(queue: QueueState, limit: number, now: number): number {
  const due = queue
    .due()
    .filter((record) => dueAt(record) <= now)
    .slice(0, limit);
  for (const record of due) queue.append(record, now);
  return due.length;
}

/** Takes lost leases. After a gap, leases of before it are not lost: their workers could not extend either. */
export function reap(queue: QueueState, now: number): ChoreResult {
  noticeGap(queue, now);
  const lost = queue.leased().filter((record) => deadlineOf(record) <= now);
  const returned: TaskRecord[] = [];
  let count = 0;
  for (const record of lost.slice(0, LIMITS.choreTasksMax)) {
    const leaseMs = record.lease?.leaseMs ?? 0;
    if (queue.gapAt !== undefined && deadlineOf(record) - leaseMs < queue.gapAt) {
      record.task.leaseExpiresAt = now + leaseMs;
      continue;
    }
    count += 1;
    if (countCrash(queue, record, now) === 'returns') returned.push(record);
  }
  // Each goes to the head, so the one that has waited longest goes last.
  returned.sort((a, b) => b.pendingSince - a.pendingSince || compareText(b.key, a.key));
  for (const record of returned) queue.putBack(record);
  queue.ringIfFreed();
  const next = queue.leased()[0];
  return {
    count,
    more: lost.length > LIMITS.choreTasksMax,
    nextInMs: next && deadlineOf(next) - now,
  };
}

/** Removes finished tasks beyond retention, the oldest of each state first. */
export function prune(queue: QueueState, now: number): ChoreResult {
  let left: number = LIMITS.pruneTasksMax;
  let more = false;
  for (const state of TERMINAL_STATES) {
    const beyond = beyondRetention(queue, state, now);
    for (const record of beyond.slice(0, left)) queue.tasks.delete(record.key);
    more ||= beyond.length > left;
    left -= Math.min(left, beyond.length);
  }
  return { count: LIMITS.pruneTasksMax - left, more };
}

function noticeGap(queue: QueueState, now: number): void {
  const before = queue.reapedAt;
  queue.reapedAt = now;
  if (before === undefined) return;
  const wentBack = now < before;
  if (wentBack || now - before > LIMITS.reapGapMs) queue.gapAt = now;
  if (!wentBack) return;
  // Deadlines set by the later clock would keep a lost task for as long as the clock went back.
  for (const record of queue.leased()) {
    record.task.leaseExpiresAt = Math.min(deadlineOf(record), now + (record.lease?.leaseMs ?? 0));
  }
}

function countCrash(queue: QueueState, record: TaskRecord, now: number): 'returns' | 'ends' {
  const { task } = record;
  task.crashes += 1;
  queue.count('crashed', now);
  queue.totals.count(task.workerId ?? '', 'crashed');
  queue.addError(record, {
    attempt: task.attempt,
    at: now,
    workerId: task.workerId,
    code: 'lease-lost',
    message: 'The worker stopped renewing its lease.',
  });
  if (task.cancelRequested) queue.end(record, 'cancelled', now);
  else if (task.crashes >= LIMITS.crashesMax) queue.end(record, 'failed', now, 'crashed');
  else return 'returns';
  return 'ends';
}

function beyondRetention(queue: QueueState, state: TerminalState, now: number): TaskRecord[] {
  const { ageMsMax, tasksMax, bytesMax } = RETENTION[state];
  const records = [...queue.tasks.values()]
    .filter(({ task }) => task.state === state)
    .sort((a, b) => finishedAt(a) - finishedAt(b) || compareText(a.key, b.key));
  let tasks = records.length;
  let bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
  const keptFrom = records.findIndex((record) => {
    if (now - finishedAt(record) <= ageMsMax && tasks <= tasksMax && bytes <= bytesMax) return true;
    tasks -= 1;
    bytes -= bytesOf(record);
    return false;
  });
  return keptFrom < 0 ? records : records.slice(0, keptFrom);
}

function bytesOf({ task }: TaskRecord): number {
  return (
    Buffer.byteLength(task.payload ?? '') + Buffer.byteLength(task.result ?? '') + LIMITS.taskOverheadBytes
  );
}

function expirable(queue: QueueState): TaskRecord[] {
  return [...queue.tasks.values()]
    .filter((record) => record.mayExpire)
    .sort((a, b) => expiresAt(a) - expiresAt(b) || compareText(a.key, b.key));
}

function expiresAt(record: TaskRecord): number {
  return record.task.expiresAt ?? Infinity;
}

function finishedAt(record: TaskRecord): number {
  return record.task.finishedAt ?? 0;
}

function nextDueAt(queue: QueueState): number {
  const next = queue.due()[0];
  return next ? dueAt(next) : Infinity;
}

function nextExpiryAt(queue: QueueState): number {
  const next = expirable(queue)[0];
  return next ? expiresAt(next) : Infinity;
}
