import type { Redis } from 'ioredis';

/** Everything that a Redis of few keys holds, by key, in a form in which equal contents are equal. */
export async function keyspaceOf(redis: Redis): Promise<Record<string, unknown>> {
  const keys = (await redis.keys('*')).sort();
  const types = await Promise.all(keys.map((key) => redis.type(key)));
  const values = await Promise.all(keys.map((key, index) => READERS[types[index]!]!(redis, key)));
  return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
}

/** By type. */
const READERS: Readonly<Record<string, (redis: Redis, key: string) => Promise<unknown>>> = {
  // One that expires just now.
  none: () => Promise.resolve(undefined),
  string: (redis, key) => redis.get(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: async (redis, key) => (await redis.smembers(key)).sort(),
  zset: (redis, key) => redis.zrange(key, '0', '-1', 'WITHSCORES'),
  hash: (redis, key) => redis.hgetall(key),
  stream: (redis, key) => redis.xrange(key, '-', '+'),
};
