import { createBullmqQueue } from './bullmq/bullmq-queue.js';
import type { Capability } from './core/capabilities.js';
import type { Logger } from './core/logger.js';
import type { Queue } from './core/ports/queue.js';
import type { RedisAddress } from './core/redis-address.js';
import type { QueueName } from './core/task.js';
import { MemoryQueue } from './memory/memory-queue.js';
import { partitionQueue } from './partitions/partitioned-queue.js';
import { createRedisQueue, type RedisQueueOptions } from './redis/redis-queue.js';
import { isPrefix, matcherOf, type QueuePattern } from './routing/pattern.js';
import { routeQueue } from './routing/routed-queue.js';

/** What backends are made from. One that needs none of it, or other things, takes them from elsewhere. */
export interface BackendOptions extends Omit<RedisQueueOptions, 'clock' | 'random'> {
  /** Of BullMQ, where it is otherwise: its Redis, and its `prefix`, `bull` by default as there. */
  bullmq?: { address?: RedisAddress; prefix?: string };
  /** Queues that there are, for a backend that cannot know by itself before they are used. */
  queues?: readonly QueueName[];
}

/** Makes a backend, not yet open. What only those need who use it can be imported in here. */
export type CreateBackend = (options: BackendOptions) => Queue | Promise<Queue>;

const known = new Map<string, CreateBackend>([
  ['redis', (options) => partitionQueue(createRedisQueue(options))],
  ['memory', () => partitionQueue(new MemoryQueue())],
  [
    'bullmq',
    ({ bullmq, address, queues, logger }) => createBullmqQueue({ address, ...bullmq, queues, logger }),
  ],
]);

/**
 * Makes a backend known by a name: 1 to 32 of a-z 0-9 -, beginning with a letter. It declares what it has
 * (`Queue.capabilities`) and should pass the conformance suite, `describeQueue` of `@app/queue/testing`.
 *
 * @throws Error for a name that is none, or that another backend has
 */
export function registerBackend(name: string, create: CreateBackend): void {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) throw new Error(`${JSON.stringify(name)} cannot name a backend.`);
  if (known.has(name)) throw new Error(`There is a backend ${name} already.`);
  known.set(name, create);
}

/** @throws Error for a name that no backend has, with those that there are */
export async function createBackend(name: string, options: BackendOptions): Promise<Queue> {
  const create = known.get(name);
  if (!create) throw new Error(`There is no backend ${name}, only ${[...known.keys()].join(', ')}.`);
  return create(options);
}

/** Which backend has which queues. */
export interface BackendChoice {
  /** The name of the one that has all queues that no other has. */
  main: string;
  /** Those that have some queues; the first whose patterns match has a queue. */
  others?: readonly { name: string; queues: readonly QueuePattern[] }[];
  options: Omit<BackendOptions, 'logger'>;
}

/** What a queue is made of. */
export interface Backends {
  main: BackendInfo;
  others: readonly (BackendInfo & { queues: readonly QueuePattern[] })[];
}

export interface BackendInfo {
  name: string;
  capabilities: ReadonlySet<Capability>;
}

/**
 * One queue over all of the backends chosen, not yet open.
 *
 * @throws Error for a name or a pattern that is none
 */
export async function createQueue(
  { main: name, others = [], options: given }: BackendChoice,
  logger?: Logger,
): Promise<{ queue: Queue; backends: Backends }> {
  const options = { ...given, logger };
  const main = await createBackend(name, options);
  const made = await Promise.all(
    others.map(async (other) => {
      const queues = other.queues.filter((pattern) => !isPrefix(pattern));
      const backend = await createBackend(other.name, { ...options, queues });
      return { ...other, serves: matcherOf(other.queues), backend, capabilities: backend.capabilities() };
    }),
  );
  return {
    queue: routeQueue({ name, backend: main }, made),
    backends: {
      main: { name, capabilities: main.capabilities() },
      others: made.map(({ name: other, queues, capabilities }) => ({ name: other, queues, capabilities })),
    },
  };
}
