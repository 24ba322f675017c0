import type { Queue } from './ports/queue.js';

/** Every operation of the ports, for what stands in front of all of them. */
export const OPERATIONS = [
  'capabilities',
  'open',
  'close',
  'enqueue',
  'queueOf',
  'lease',
  'settle',
  'extend',
  'waitForWork',
  'announceTypes',
  'get',
  'list',
  'logs',
  'queues',
  'overview',
  'settings',
  'tenants',
  'tenant',
  'activity',
  'leased',
  'waitForEnd',
  'probe',
  'follow',
  'snapshot',
  'cancel',
  'retry',
  'update',
  'remove',
  'configure',
  'configureTenant',
  'pause',
  'resume',
  'drain',
  'purge',
  'deleteQueue',
  'register',
  'deregister',
  'tell',
  'worker',
  'workers',
  'commands',
  'promote',
  'reap',
  'prune',
  'electForChores',
] as const satisfies (keyof Queue)[];

export type Operation = (typeof OPERATIONS)[number];

/** The operations of a queue as fields of a plain object, some of which a wrapper may then replace. */
export function bindQueue(queue: Queue): Queue {
  // The compiler refuses the annotation when an operation of the ports is not in the list.
  const bound: Record<keyof Queue, unknown> = Object.fromEntries(
    OPERATIONS.map((operation) => [operation, queue[operation].bind(queue)]),
  ) as Record<Operation, unknown>;
  return bound as Queue;
}
