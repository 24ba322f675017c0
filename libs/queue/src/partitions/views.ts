import type { QueueName, Task } from '../core/task.js';
import { isPartitionName, queueOfPartition } from './partition.js';

/** A task as callers see it: partitions have no names to them. */
export function inQueue<T extends { queue: QueueName }>(task: T): T {
  return isPartitionName(task.queue) ? { ...task, queue: queueOfPartition(task.queue) } : task;
}

/** An outcome with its task, if it has one, as callers see it. */
export function ofQueue<T extends object>(outcome: T): T {
  return 'task' in outcome ? { ...outcome, task: inQueue(outcome.task as Task) } : outcome;
}
