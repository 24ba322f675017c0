import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { PurgeRequest } from '../core/ports/operator.js';
import { isTerminal } from '../core/task.js';
import type { QueueState } from './queue-state.js';
import type { TaskRecord } from './record.js';

/** Cancels tasks that wait, or removes tasks that have ended. */
export function purge(queue: QueueState, { state, tenant }: PurgeRequest, now: number): ChoreResult {
  if (tenant !== undefined && queue.isFifo) {
    throw new QueueError('invalid-request', {
      message: 'A queue in FIFO mode does not tell tenants apart.',
      pointer: '/tenant',
    });
  }
  const found = [...queue.tasks.values()].filter(({ task }) => {
    if (tenant !== undefined && task.tenant !== tenant) return false;
    return state === 'waiting' ? task.state !== 'running' && !isTerminal(task.state) : task.state === state;
  });
  return slice(found, (record) => {
    if (isTerminal(record.task.state)) queue.tasks.delete(record.key);
    else queue.end(record, 'cancelled', now);
  });
}

/** Removes the tasks of a queue in which none waits or runs. */
export function removeEnded(queue: QueueState): ChoreResult {
  if (queue.open() > 0) throw new QueueError('queue-not-empty');
  return slice([...queue.tasks.values()], ({ key }) => queue.tasks.delete(key));
}

function slice(records: readonly TaskRecord[], each: (record: TaskRecord) => void): ChoreResult {
  const taken = records.slice(0, LIMITS.purgeTasksMax);
  taken.forEach(each);
  return { count: taken.length, more: records.length > taken.length };
}
