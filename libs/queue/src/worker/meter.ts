import type { QueueName } from '../core/task.js';

/** How an attempt ended, as far as this worker knows. */
export type AttemptOutcome = 'completed' | 'failed' | 'timeout' | 'cancelled' | 'lease-lost' | 'released';

/** What workers and chores count. A process that wants metrics supplies it; the library knows no metrics system. */
export interface Meter {
  /** An attempt's settlement was accepted or refused, or given up. `durationMs`: from the handler's start. */
  attemptEnded(queue: QueueName, type: string, outcome: AttemptOutcome, durationMs: number): void;
  /** The number of slots in use changed. */
  slots(busy: number, total: number): void;
  /** A loop's step failed and will be repeated: `wait`, `lease`, `settle`, `heartbeat`, `promote`, `elect` … */
  loopFailed(loop: string): void;
  /** One round of a chore over one queue ended. `count`: tasks moved. */
  choreRan(chore: string, outcome: 'ok' | 'error', count: number, durationMs: number): void;
}

export const NO_METER: Meter = {
  attemptEnded() {},
  slots() {},
  loopFailed() {},
  choreRan() {},
};

/** Where workers and chores say what people should know; pino's loggers fit. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const NO_LOG: Log = { info() {}, warn() {}, error() {} };
