import { crc32 } from 'node:zlib';
import { DEFAULT_TENANT } from '../core/names.js';
import type { NewTask } from '../core/ports/producer.js';
import type { QueueName } from '../core/task.js';

/*
 * What a backend knows as a queue. Partition 0 of `emails` is `emails` itself, so that a queue is its own only partition
 * until it is split; the others are `emails~1`, `emails~2` and so on, each in a slot that its own name chooses.
 */

export function partitionName(queue: QueueName, index: number): QueueName {
  return index === 0 ? queue : `${queue}~${index}`;
}

export function partitionNames(queue: QueueName, count: number): QueueName[] {
  return Array.from({ length: count }, (_, index) => partitionName(queue, index));
}

/** The queue that a partition is of; of a queue, itself. */
export function queueOfPartition(name: QueueName): QueueName {
  const at = name.indexOf('~');
  return at < 0 ? name : name.slice(0, at);
}

export function isPartitionName(name: QueueName): boolean {
  return name.includes('~');
}

/** CRC-32 of the text, modulo the number of partitions. To change it is to move every tenant of every split queue. */
export function partitionOf(text: string, count: number): number {
  return crc32(text) % count;
}

/** What must stay together: the tasks of a tenant, and of an ordering key of the default tenant, which may be large. */
export function bindingOf({ tenant = DEFAULT_TENANT, orderingKey }: NewTask): string | undefined {
  return tenant === DEFAULT_TENANT ? orderingKey : tenant;
}

/** What a repeat of the submission has in common with it. Absent: no repeat is told from a new task. */
export function identityOf({ key, idempotency }: NewTask): string | undefined {
  return key ?? idempotency?.key;
}

/** Where tasks of these tenants can be; of everybody, where none is named. */
export function partitionsWith(queue: QueueName, count: number, tenants?: readonly string[]): QueueName[] {
  const names = partitionNames(queue, count);
  if (tenants === undefined || tenants.includes(DEFAULT_TENANT)) return names;
  const indexes = new Set(tenants.map((tenant) => partitionOf(tenant, count)));
  return names.filter((_, index) => indexes.has(index));
}
