import { splitTaskId } from '../core/names.js';
import type { QueueName, TaskId } from '../core/task.js';

/**
 * Positions of the ids by queue: a call over tasks of several queues is one script call for each.
 *
 * @throws QueueError `invalid-task-id`
 */
export function groupByQueue(ids: readonly TaskId[]): Map<QueueName, number[]> {
  const groups = new Map<QueueName, number[]>();
  ids.forEach((id, index) => {
    const { queue } = splitTaskId(id);
    const members = groups.get(queue);
    if (members) members.push(index);
    else groups.set(queue, [index]);
  });
  return groups;
}
