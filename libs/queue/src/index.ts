/** The front door of the engine: everything outside `libs/queue` imports from here. */
export * from './core/task.js';
export * from './core/priority.js';
export * from './core/retry.js';
export * from './core/names.js';
export * from './core/limits.js';
export * from './core/capabilities.js';
export * from './core/errors.js';
export { checkPosition, timeOfPosition } from './core/event-position.js';
export * from './core/lifecycle.js';
export { pagesOf } from './core/pages.js';
export * from './core/ports/producer.js';
export * from './core/ports/consumer.js';
export * from './core/ports/inspector.js';
export * from './core/ports/observer.js';
export * from './core/ports/operator.js';
export * from './core/ports/registry.js';
export * from './core/ports/maintainer.js';
export * from './core/ports/queue.js';
export * from './core/settings.js';
export * from './core/size-class.js';
export * from './core/new-task.js';
export { tenantsServed } from './core/tenants-served.js';
export * from './core/worker.js';
export { parseLabels } from './core/registration.js';
export type { Clock } from './core/clock.js';
export { Announcer, type AnnouncerOptions } from './worker/announcer.js';
export * from './worker/errors.js';
export * from './worker/handler.js';
export * from './worker/handler-table.js';
export * from './worker/meter.js';
export { Presence, type PresenceOptions } from './worker/presence.js';
export { QueueWatch, type QueueWatchOptions } from './worker/queue-watch.js';
export { Runner, type RunnerOptions } from './worker/runner.js';
export { Chores, type ChoresOptions } from './chores/chores.js';
export {
  type BackendChoice,
  type BackendOptions,
  type Backends,
  createBackend,
  type CreateBackend,
  createQueue,
  registerBackend,
} from './backends.js';
export { type Route, routeQueue } from './routing/routed-queue.js';

export { createRedisQueue, type RedisQueueOptions } from './redis/redis-queue.js';
export type { Logger } from './core/logger.js';
export type { RedisAddress } from './core/redis-address.js';
export { createBullmqQueue, type BullmqQueueOptions, BULLMQ_CAPABILITIES } from './bullmq/bullmq-queue.js';
export { moveQueue, type MoveOptions, type MoveProgress } from './bullmq/move-queue.js';
export { openQueue } from './open-queue.js';
export { restrictQueue } from './restricted-queue.js';
export { partitionQueue } from './partitions/partitioned-queue.js';
export { meterQueue, type ObserveOperation } from './metered-queue.js';
