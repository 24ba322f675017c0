import type { Capability } from '../core/capabilities.js';
import { notSupported } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { joinRoles } from '../core/operations.js';
import type { Queue } from '../core/ports/queue.js';
import type { Registry } from '../core/ports/registry.js';
import type { RedisAddress } from '../core/redis-address.js';
import type { QueueName } from '../core/task.js';
import { restrictQueue } from '../restricted-queue.js';
import { Cancelled } from './cancelled.js';
import { BullmqConsumer } from './consumer.js';
import { Directory } from './directory.js';
import { EndWatcher } from './end-watcher.js';
import { EventStreams } from './event-stream.js';
import { IdempotencyKeys } from './idempotency-keys.js';
import { BullmqInspector } from './inspector.js';
import { whatIsLeft } from './lease.js';
import { BullmqMaintainer } from './maintainer.js';
import { BullmqObserver } from './observer.js';
import { BullmqOperator } from './operator.js';
import { BullmqProducer } from './producer.js';
import { Store } from './store.js';
import { WorkBells } from './work-bells.js';

export interface BullmqQueueOptions {
  /** Not a cluster. */
  address: RedisAddress;
  /** What BullMQ calls `prefix`. Default `bull`, as there. */
  prefix?: string;
  /** Names of queues to list before anybody has used them here: BullMQ keeps no list. */
  queues?: readonly QueueName[];
  /** Default: silent. */
  logger?: Logger;
  /** For tests. Source of retry jitter, in [0, 1). Default `Math.random`. */
  random?: () => number;
}

/** What BullMQ has, or what can be had on it: docs/bullmq.md. */
export const BULLMQ_CAPABILITIES: ReadonlySet<Capability> = new Set<Capability>([
  'idempotency-keys',
  'timeouts',
  'metadata',
  'drain',
  'type-routes',
  'queue-list',
  'events',
  'log-events',
  'cancel-running',
  'error-history',
]);

const SILENT: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The ports in front of queues of BullMQ, which its own producers and workers use at the same time. */
export function createBullmqQueue(options: BullmqQueueOptions): Queue {
  const { address, prefix = 'bull', queues = [], logger = SILENT, random = Math.random } = options;
  const store = new Store({ address, prefix, logger });
  const cancelled = new Cancelled(store);
  const keys = new IdempotencyKeys(store);
  const directory = new Directory(store, queues);
  const streams = new EventStreams(store);
  const bells = new WorkBells(streams, (queue) => store.run(queue, whatIsLeft));
  const ends = new EndWatcher(store, cancelled, streams);
  const observer = new BullmqObserver(store, cancelled, directory, streams);
  const queue = joinRoles({
    producer: new BullmqProducer(store, cancelled, keys, directory),
    consumer: new BullmqConsumer(store, cancelled, directory, bells, random),
    inspector: new BullmqInspector(store, cancelled, directory, ends),
    observer,
    operator: new BullmqOperator(store, cancelled, directory),
    registry: NO_REGISTRY,
    maintainer: new BullmqMaintainer(store, cancelled, keys),
    own: {
      capabilities: () => BULLMQ_CAPABILITIES,
      open: () => store.open(),
      async close() {
        bells.close();
        ends.close();
        observer.stop();
        await streams.close();
        await store.close();
      },
    },
  });
  return restrictQueue(queue, BULLMQ_CAPABILITIES);
}

async function noRegistry(): Promise<never> {
  throw notSupported('worker-registry');
}

const NO_REGISTRY: Registry = {
  register: noRegistry,
  deregister: noRegistry,
  tell: noRegistry,
  worker: noRegistry,
  workers: noRegistry,
  commands: noRegistry,
};
