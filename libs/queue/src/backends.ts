import type { Queue } from './core/ports.js';
import { MemoryQueue } from './memory/memory-queue.js';
import { partitionQueue } from './partitions/partitioned-queue.js';
import { createRedisQueue, type RedisQueueOptions } from './redis/redis-queue.js';

/** What backends are made from. One that needs none of it, or other things, takes them from elsewhere. */
export type BackendOptions = Omit<RedisQueueOptions, 'clock' | 'random'>;

/** Makes a backend, not yet open. What is only needed by those who use it can be imported in here. */
export type CreateBackend = (options: BackendOptions) => Queue | Promise<Queue>;

const backends = new Map<string, CreateBackend>([
  ['redis', (options) => partitionQueue(createRedisQueue(options))],
  ['memory', () => partitionQueue(new MemoryQueue())],
]);

/**
 * Makes a backend known by a name: 1 to 32 of a-z 0-9 -, beginning with a letter. It declares what it has
 * (`Queue.capabilities`) and should pass the conformance suite, `describeQueue` of `@app/queue/testing`.
 *
 * @throws Error for a name that is none, or that another backend has
 */
export function registerBackend(name: string, create: CreateBackend): void {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) throw new Error(`${JSON.stringify(name)} cannot name a backend.`);
  if (backends.has(name)) throw new Error(`There is a backend ${name} already.`);
  backends.set(name, create);
}

/** @throws Error for a name that no backend has, with those that there are */
export async function createBackend(name: string, options: BackendOptions): Promise<Queue> {
  const create = backends.get(name);
  if (!create) throw new Error(`There is no backend ${name}, only ${[...backends.keys()].join(', ')}.`);
  return create(options);
}
