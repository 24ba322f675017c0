import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedisQueue, type Queue, type RedisQueueOptions } from '@app/queue';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../../tools/lib/redis.mjs';

export interface TestQueue {
  queue: Queue;
  keyPrefix: string;
  /** Another process's view of the same data. */
  another(): Promise<Queue>;
  /** For looking at keys, and for damaging them. */
  redis: Redis;
  /** Closes all and removes the keys. */
  cleanup(): Promise<void>;
}

/** The port of the Redis that global-setup.mjs started. */
export function sharedRedisPort(): number {
  return Number(process.env.TEST_REDIS_PORT);
}

/** An engine on the shared Redis, with a key prefix of its own. */
export async function openTestQueue(options: Partial<RedisQueueOptions> = {}): Promise<TestQueue> {
  const keyPrefix = `test-${randomBytes(6).toString('hex')}`;
  const address = { port: sharedRedisPort() };
  const opened: Queue[] = [];
  const another = async () => {
    const queue = createRedisQueue({ address, keyPrefix, ...options });
    await queue.open();
    opened.push(queue);
    return queue;
  };
  const queue = await another();
  const redis = new Redis({ ...address });
  return {
    queue,
    keyPrefix,
    another,
    redis,
    async cleanup() {
      await Promise.all(opened.map((each) => each.close()));
      await removeKeys(redis, keyPrefix);
      await redis.quit();
    },
  };
}

/** A Redis that a test may break: its own process, its own files. */
export async function ownRedis(
  options: { args?: readonly string[]; appendfsync?: 'always' | 'everysec' } = {},
): Promise<{ server: RedisServer; restart(): Promise<void>; url: string; cleanup(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'fairlane-redis-'));
  const start = (port?: number) =>
    startRedis({ binary: process.env.TEST_REDIS_BINARY!, dir, port, ...options });
  const own = {
    server: await start(),
    get url() {
      return own.server.url;
    },
    /** On the same port, with what the file holds. */
    async restart() {
      const { port, exited } = own.server;
      await exited;
      own.server = await start(port);
      if (own.server.port !== port) throw new Error(`port ${port} was taken meanwhile`);
    },
    async cleanup() {
      await own.server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return own;
}

/** How often a server was asked for a command since its statistics were reset. */
export async function commandCalls(redis: Redis, command: string): Promise<number> {
  const lines = (await redis.info('commandstats')).split('\r\n');
  const line = lines.find((each) => each.startsWith(`cmdstat_${command}:`));
  return Number(/calls=(\d+)/.exec(line ?? '')?.[1] ?? 0);
}

/** Makes a server forget all it was taught. */
export async function forgetScripts(redis: Redis): Promise<void> {
  await redis.function('FLUSH');
  await redis.script('FLUSH');
}

export async function removeKeys(redis: Redis, keyPrefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${keyPrefix}:*`, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(keys as string[]);
  }
}
