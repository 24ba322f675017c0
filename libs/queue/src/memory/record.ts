import { TASK_STATES, type LogLine, type Task, type TaskSpec, type TaskState } from '../core/task.js';
import type { LeasedTask } from '../core/ports/consumer.js';
import type { StateCounts } from '../core/ports/inspector.js';

/** Where a task waits. */
export interface Lane {
  readonly priority: number;
  readonly tenant: string;
}

/** A task with what only the engine knows about it. */
export interface TaskRecord {
  readonly key: string;
  /** Place in the queue's order of acceptance. */
  readonly position: number;
  /** What makes a second submission with the same identity a repeat: equal text, equal content. */
  readonly content: string;
  /** As it was accepted; never changes. */
  readonly accepted: Task;
  /** As it is. */
  readonly task: Task;
  readonly logs: LogLine[];
  /** Only a task that never started can expire. */
  mayExpire: boolean;
  /** When it last joined a lane by itself, and later than the time before; kept when a lease gives it back. */
  pendingSince: number;
  /** The lane it last waited in; decided whenever it becomes pending. */
  lane: Lane;
  /** The current lease; its deadline is `task.leaseExpiresAt`. */
  lease?: { token: string; leaseMs: number };
  /** The latest settlement, to answer a repeat the same way. */
  settled?: { token: string; state: TaskState };
}

/** A copy for callers, who may keep it. */
export function viewTask(task: Task, full = true): Task {
  const copy = { ...task, errors: full ? [...task.errors] : [] };
  if (!full) {
    delete copy.payload;
    delete copy.result;
  }
  return copy;
}

/** A running task as its holder sees it. */
export function viewLeased(record: TaskRecord): LeasedTask {
  const { task, lease } = record;
  if (!lease || task.leaseExpiresAt === undefined) throw new Error(`${task.id} is not leased`);
  return {
    ...specOf(task),
    id: task.id,
    queue: task.queue,
    createdAt: task.createdAt,
    attempt: task.attempt,
    failures: task.failures,
    crashes: task.crashes,
    errors: [...task.errors],
    leaseToken: lease.token,
    leaseExpiresAt: task.leaseExpiresAt,
  };
}

export function zeroCounts(): StateCounts {
  return Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as StateCounts;
}

function specOf(task: Task): TaskSpec {
  const { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata } = task;
  return { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata };
}
