import { joinRoles } from '../core/operations.js';
import type { Queue } from '../core/ports/queue.js';
import { PartitionedConsumer } from './consumer.js';
import { PartitionedInspector } from './inspector.js';
import { PartitionedMaintainer } from './maintainer.js';
import { PartitionedObserver } from './observer.js';
import { PartitionedOperator } from './operator.js';
import { PartitionCounts } from './partition-counts.js';
import { PartitionedProducer } from './producer.js';
import { TaskFinder } from './task-finder.js';

/**
 * The same queue, of which each may be split into partitions (`QueueSettings.partitions`): to the backend they are queues
 * of their own, to callers there is one. A queue that is not split costs one look at its settings per second. What
 * order, fairness and limits mean in one that is: `docs/decisions/0010-partitions.md`.
 */
export function partitionQueue(inner: Queue): Queue {
  const counts = new PartitionCounts(inner);
  const finder = new TaskFinder(inner, counts);
  return joinRoles({
    producer: new PartitionedProducer(inner, counts),
    consumer: new PartitionedConsumer(inner, counts),
    inspector: new PartitionedInspector(inner, counts, finder),
    observer: new PartitionedObserver(inner, counts, finder),
    operator: new PartitionedOperator(inner, counts, finder),
    registry: inner,
    maintainer: new PartitionedMaintainer(inner, counts),
    own: inner,
  });
}
