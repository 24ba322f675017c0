/** The front door of the engine: everything outside `libs/queue` imports from here. */
export * from './core/task.js';
export * from './core/priority.js';
export * from './core/retry.js';
export * from './core/names.js';
export * from './core/limits.js';
export * from './core/errors.js';
export * from './core/lifecycle.js';
export * from './core/ports.js';
export * from './core/new-task.js';
export type { Clock } from './core/clock.js';
export * from './worker/errors.js';
export * from './worker/handler.js';
export * from './worker/handler-table.js';
export * from './worker/meter.js';
export { QueueWatch, type QueueWatchOptions } from './worker/queue-watch.js';
export { Runner, type RunnerOptions } from './worker/runner.js';
export { Chores, type ChoresOptions } from './chores/chores.js';
