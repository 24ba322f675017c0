import type { QueueName } from '../core/task.js';

/** In the order in which the queues come first. */
export function groupByQueue<T extends { queue: QueueName }>(items: readonly T[]): Map<QueueName, T[]> {
  const groups = new Map<QueueName, T[]>();
  for (const item of items) {
    const group = groups.get(item.queue);
    if (group) group.push(item);
    else groups.set(item.queue, [item]);
  }
  return groups;
}
