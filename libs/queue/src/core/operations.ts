import type { Consumer } from './ports/consumer.js';
import type { Inspector } from './ports/inspector.js';
import type { Maintainer } from './ports/maintainer.js';
import type { Observer } from './ports/observer.js';
import type { Operator } from './ports/operator.js';
import type { Producer } from './ports/producer.js';
import type { Queue } from './ports/queue.js';
import type { Registry } from './ports/registry.js';

/** Who plays each role of a queue. */
export interface Roles {
  producer: Producer;
  consumer: Consumer;
  inspector: Inspector;
  observer: Observer;
  operator: Operator;
  registry: Registry;
  maintainer: Maintainer;
  /** What is nobody's role but the queue's own. */
  own: Pick<Queue, 'capabilities' | 'open' | 'close'>;
}

const OPERATIONS_OF = {
  producer: ['enqueue', 'queueOf'],
  consumer: ['lease', 'settle', 'extend', 'waitForWork', 'waitAndLease', 'announceTypes'],
  inspector: [
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
  ],
  observer: ['follow', 'snapshot'],
  operator: [
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
  ],
  registry: ['register', 'deregister', 'tell', 'worker', 'workers', 'commands'],
  maintainer: ['promote', 'reap', 'prune', 'electForChores'],
  own: ['capabilities', 'open', 'close'],
} as const satisfies { [Role in keyof Roles]: readonly (keyof Roles[Role])[] };

export type Operation = (typeof OPERATIONS_OF)[keyof Roles][number];

/** Every operation of the ports, for what stands in front of all of them. */
export const OPERATIONS: readonly Operation[] = Object.values(OPERATIONS_OF).flat();

/** One queue of those who play its roles, its operations fields of a plain object. */
export function joinRoles(roles: Roles): Queue {
  const bound = Object.entries(OPERATIONS_OF).flatMap(([role, operations]) => {
    const player = roles[role as keyof Roles] as unknown as Queue;
    return operations.map((operation) => [operation, player[operation].bind(player)]);
  });
  // The compiler refuses the annotation when an operation of the ports is not in the list.
  const whole: Record<keyof Queue, unknown> = Object.fromEntries(bound) as Record<Operation, unknown>;
  return whole as Queue;
}

/** The operations of a queue as fields of a plain object, some of which a wrapper may then replace. */
export function bindQueue(queue: Queue): Queue {
  return joinRoles({
    producer: queue,
    consumer: queue,
    inspector: queue,
    observer: queue,
    operator: queue,
    registry: queue,
    maintainer: queue,
    own: queue,
  });
}
