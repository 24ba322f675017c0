import { QueueError } from '../core/errors.js';
import type { OperateOutcome } from '../core/ports.js';
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
      return wrongState(record);
  }
}

/** Lets a task that ended without success start again, with all its attempts. */
export function retry(queue: QueueState, record: TaskRecord, now: number): OperateOutcome {
  const { task } = record;
  if (task.state !== 'failed' && task.state !== 'cancelled' && task.state !== 'expired') {
    return wrongState(record);
  }
  task.failures = 0;
  task.crashes = 0;
  task.failureReason = undefined;
  task.finishedAt = undefined;
  task.expiresAt = undefined;
  queue.append(record, now);
  return done(record);
}

export function notFound(id: string): OperateOutcome {
  return { status: 'refused', error: new QueueError('task-not-found', { taskId: id }) };
}

function done(record: TaskRecord): OperateOutcome {
  return { status: 'done', task: viewTask(record.task) };
}

function wrongState({ task }: TaskRecord): OperateOutcome {
  return { status: 'refused', error: new QueueError('wrong-state', { taskId: task.id, state: task.state }) };
}
