import { QueueError, wrongState } from '../core/errors.js';
import type { OperateOutcome, TaskChange } from '../core/ports/operator.js';
import { isTerminal } from '../core/task.js';
import type { QueueState } from './queue-state.js';
import { viewTask, type TaskRecord } from './record.js';

/** Ends a waiting task; asks a running one to stop. */
export function cancel(queue: QueueState, record: TaskRecord, now: number): OperateOutcome {
  switch (record.task.state) {
    case 'scheduled':
    case 'pending':
    case 'retrying':
      queue.end(record, 'cancelled', now);
      return done(record);
    case 'running':
      record.task.cancelRequested = true;
      return done(record);
    case 'cancelled':
      return done(record);
    default:
      return refuse(record);
  }
}

/** Lets a task that ended without success start again, with all its attempts. */
export function retry(queue: QueueState, record: TaskRecord, now: number): OperateOutcome {
  const { task } = record;
  if (task.state !== 'failed' && task.state !== 'cancelled' && task.state !== 'expired') {
    return refuse(record);
  }
  queue.forgetIdle(task.tenant, now);
  task.failures = 0;
  task.crashes = 0;
  task.failureReason = undefined;
  task.finishedAt = undefined;
  task.expiresAt = undefined;
  queue.append(record, now);
  return done(record);
}

/** Changes the priority of a task that waits, or when it is due. */
export function update(
  queue: QueueState,
  record: TaskRecord,
  { priority, runAtMs }: TaskChange,
  now: number,
): OperateOutcome {
  const { task } = record;
  if (task.state === 'running' || isTerminal(task.state)) return refuse(record);
  if (task.state === 'pending' && runAtMs !== undefined) return refuse(record);
  const before = queue.laneFor(task);
  if (priority !== undefined) task.priority = priority;
  if (task.state === 'pending') {
    // Where priorities mean nothing it keeps its place.
    if (queue.laneFor(task).priority !== before.priority) queue.append(record, now);
  } else if (runAtMs !== undefined) {
    if (runAtMs <= now) queue.append(record, now);
    else queue.postpone(record, task.state, runAtMs);
  }
  return done(record);
}

/** Forgets a task that has ended. */
export function remove(queue: QueueState, record: TaskRecord): OperateOutcome {
  if (!isTerminal(record.task.state)) return refuse(record);
  queue.tasks.delete(record.key);
  return done(record);
}

export function notFound(id: string): OperateOutcome {
  return { status: 'refused', error: new QueueError('task-not-found', { taskId: id }) };
}

function done(record: TaskRecord): OperateOutcome {
  return { status: 'done', task: viewTask(record.task) };
}

function refuse({ task }: TaskRecord): OperateOutcome {
  return { status: 'refused', error: wrongState(task.id, task.state) };
}
