import type { WorkerActivity } from '../core/ports/inspector.js';
import type { QueueState } from './queue-state.js';
import type { TaskRecord } from './record.js';

export function activity(queue: QueueState, worker: string): WorkerActivity {
  return { running: leasedBy(queue, worker).length, totals: { ...queue.totals.of(worker) } };
}

/** Tasks that a worker has leased. */
export function leasedBy(queue: QueueState, worker: string): TaskRecord[] {
  return queue.leased().filter(({ task }) => task.workerId === worker);
}
