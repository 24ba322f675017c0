import { type ErrorKind, QueueError } from './core/errors.js';
import type { Queue } from './core/ports.js';

/** Told of every operation: its name in the ports, `ok` or the kind of its error, and how long it took. */
export type ObserveOperation = (operation: string, outcome: 'ok' | ErrorKind, durationMs: number) => void;

const TIMED = [
  'enqueue',
  'queueOf',
  'lease',
  'settle',
  'extend',
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
  'snapshot',
  'probe',
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

/** These take as long as they are told to. */
const UNTIMED = ['open', 'close', 'waitForWork', 'waitForEnd', 'follow'] as const satisfies (keyof Queue)[];

type Operation = (typeof TIMED)[number] | (typeof UNTIMED)[number];

/** The same queue, observed at its ports: every backend and every operation is timed in this one place. */
export function meterQueue(queue: Queue, observe: ObserveOperation): Queue {
  const untimed = UNTIMED.map((operation) => [operation, queue[operation].bind(queue)]);
  const timed = TIMED.map((operation) => [
    operation,
    time(queue[operation].bind(queue) as Call, (outcome, durationMs) =>
      observe(operation, outcome, durationMs),
    ),
  ]);
  // The compiler refuses the annotation when an operation of the ports is in neither list.
  const metered: Record<keyof Queue, unknown> = Object.fromEntries([...untimed, ...timed]) as Record<
    Operation,
    unknown
  >;
  return metered as Queue;
}

type Call = (...args: unknown[]) => Promise<unknown>;

function time(call: Call, observe: (outcome: 'ok' | ErrorKind, durationMs: number) => void): Call {
  return async (...args) => {
    const startedAtMs = performance.now();
    let outcome: 'ok' | ErrorKind = 'ok';
    try {
      return await call(...args);
    } catch (error) {
      outcome = error instanceof QueueError ? error.kind : 'internal';
      throw error;
    } finally {
      observe(outcome, performance.now() - startedAtMs);
    }
  };
}
