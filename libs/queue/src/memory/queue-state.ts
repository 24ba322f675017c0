import { LIMITS } from '../core/limits.js';
import type { MinuteEvent } from '../core/ports.js';
import { storedLines } from '../core/report.js';
import type { AttemptError, FailureReason, QueueName, TaskId, TerminalState } from '../core/task.js';
import { Lanes } from './lanes.js';
import { Minutes } from './minutes.js';
import type { TaskRecord } from './record.js';

/** What a queue tells the outside about itself. */
export interface QueueListener {
  /** A worker has a reason to look. */
  ring(queue: QueueName): void;
  ended(id: TaskId): void;
}

/**
 * One queue: its tasks, what is remembered to recognise repeats, and the moves a task can make. Every move of
 * the lifecycle after acceptance is one method here; the operations decide which.
 */
export class QueueState {
  readonly tasks = new Map<string, TaskRecord>();
  readonly lanes = new Lanes();
  /** Submissions by idempotency key. */
  readonly submissions = new Map<string, { fingerprint: string; key: string; until: number }>();
  /** By worker, the latest lease request that took something. */
  readonly requests = new Map<string, { requestId: string; until: number; keys: string[] }>();
  readonly minutes = new Minutes();
  /** Tasks accepted so far; also the position of the next one. */
  accepted = 0;
  reapedAt?: number;
  /** When the reaper last came back after a gap. Leases of before get one more length. */
  gapAt?: number;
  readonly #due = new Set<TaskRecord>();
  readonly #running = new Set<TaskRecord>();

  constructor(
    readonly name: QueueName,
    private readonly listener: QueueListener,
  ) {}

  /** Tasks that wait for a time, the next one first. */
  due(): TaskRecord[] {
    return [...this.#due].sort((a, b) => dueAt(a) - dueAt(b) || compareText(a.key, b.key));
  }

  /** Leased tasks, the next deadline first. */
  leased(): TaskRecord[] {
    return [...this.#running].sort((a, b) => deadlineOf(a) - deadlineOf(b) || compareText(a.key, b.key));
  }

  ring(): void {
    this.listener.ring(this.name);
  }

  count(event: MinuteEvent, now: number): void {
    this.minutes.count(event, now);
  }

  /** To the tail of its lane. */
  append(record: TaskRecord, now: number): void {
    this.#leave(record);
    record.task.state = 'pending';
    record.pendingSince = Math.max(now, record.pendingSince + 1);
    this.lanes.append(record);
    this.ring();
  }

  /** Back to the head of its lane, after a lease. */
  putBack(record: TaskRecord): void {
    this.#leave(record);
    record.task.state = 'pending';
    this.lanes.prepend(record);
    this.ring();
  }

  /** Until its time comes. Where it is the next of all, a worker is told, to learn when. */
  postpone(record: TaskRecord, state: 'scheduled' | 'retrying', due: number): void {
    this.#leave(record);
    record.task.state = state;
    record.task.dueAt = due;
    this.#due.add(record);
    if (this.due()[0] === record) this.ring();
  }

  /** The caller has taken it out of its lane. */
  start(record: TaskRecord, workerId: string, token: string, leaseMs: number, now: number): void {
    const { task } = record;
    task.state = 'running';
    task.attempt += 1;
    task.startedAt = now;
    task.workerId = workerId;
    task.leaseExpiresAt = now + leaseMs;
    record.lease = { token, leaseMs };
    record.mayExpire = false;
    this.#running.add(record);
    this.count('started', now);
  }

  end(record: TaskRecord, state: TerminalState, now: number, reason?: FailureReason): void {
    this.#leave(record);
    record.task.state = state;
    record.task.finishedAt = now;
    record.task.cancelRequested = false;
    record.task.failureReason = reason;
    record.mayExpire = false;
    this.count(state, now);
    this.listener.ended(record.task.id);
  }

  addError(record: TaskRecord, error: AttemptError): void {
    record.task.errors = [...record.task.errors, error].slice(-LIMITS.errorsKept);
  }

  addLogs(record: TaskRecord, lines: readonly string[] | undefined, now: number): void {
    for (const message of storedLines(lines)) {
      record.logs.push({ at: now, attempt: record.task.attempt, message });
    }
    record.logs.splice(0, record.logs.length - LIMITS.logLinesKept);
  }

  /** Forgets what belongs to the present state only. */
  #leave(record: TaskRecord): void {
    const { task } = record;
    if (task.state === 'pending') this.lanes.remove(record);
    this.#due.delete(record);
    this.#running.delete(record);
    record.lease = undefined;
    task.dueAt = undefined;
    task.workerId = undefined;
    task.leaseExpiresAt = undefined;
  }
}

export function dueAt(record: TaskRecord): number {
  return record.task.dueAt ?? Infinity;
}

export function deadlineOf(record: TaskRecord): number {
  return record.task.leaseExpiresAt ?? Infinity;
}

/** Byte order; keys and names are ASCII. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
