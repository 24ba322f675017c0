import { type ErrorKind, QueueError } from './core/errors.js';
import { bindQueue, type Operation, OPERATIONS } from './core/operations.js';
import type { Queue } from './core/ports/queue.js';

/** Told of every operation: its name in the ports, `ok` or the kind of its error, and how long it took. */
export type ObserveOperation = (operation: string, outcome: 'ok' | ErrorKind, durationMs: number) => void;

/** These take as long as they are told to, or no time. */
const UNTIMED: readonly Operation[] = [
  'capabilities',
  'open',
  'close',
  'waitForWork',
  'waitAndLease',
  'waitForEnd',
  'follow',
];

/** The same queue, observed at its ports: every backend and every operation is timed in this one place. */
export function meterQueue(queue: Queue, observe: ObserveOperation): Queue {
  const timed = OPERATIONS.filter((operation) => !UNTIMED.includes(operation)).map((operation) => [
    operation,
    time(queue[operation].bind(queue) as Call, (outcome, durationMs) =>
      observe(operation, outcome, durationMs),
    ),
  ]);
  return { ...bindQueue(queue), ...(Object.fromEntries(timed) as Queue) };
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
