import { readSettings } from './read-settings.js';
import { describeRedis, redisSettings } from './redis.js';

const read = (env: Record<string, string>) => readSettings({ redis: redisSettings }, env).redis;

test('without any variable Redis is on this machine', () => {
  expect(read({})).toEqual({
    url: undefined,
    host: '127.0.0.1',
    port: 6379,
    db: 0,
    username: undefined,
    password: undefined,
    tls: false,
    sentinels: [],
    sentinelName: 'mymaster',
    sentinelPassword: undefined,
    clusterNodes: [],
    keyPrefix: 'fairlane',
    allowUnsafe: false,
    durability: 'standard',
    replicas: undefined,
  });
});

test.each([
  [{ REDIS_URL: 'redis://h', REDIS_HOST: 'h' }, 'REDIS_URL excludes REDIS_HOST'],
  [{ REDIS_URL: 'redis://h', REDIS_SENTINELS: 's:1' }, 'REDIS_URL excludes REDIS_SENTINELS'],
  [{ REDIS_URL: 'redis://h', REDIS_CLUSTER_NODES: 'c:1' }, 'REDIS_URL excludes REDIS_CLUSTER_NODES'],
  [{ REDIS_SENTINELS: 's:1', REDIS_CLUSTER_NODES: 'c:1' }, 'REDIS_SENTINELS excludes REDIS_CLUSTER_NODES'],
  [{ REDIS_CLUSTER_NODES: 'c:1', REDIS_DB: '2' }, 'REDIS_DB=2 excludes REDIS_CLUSTER_NODES'],
  [{ FAIRLANE_REPLICAS: '1' }, 'FAIRLANE_REPLICAS needs FAIRLANE_DURABILITY=strict'],
])('%j is a contradiction', (env, message) => {
  expect(() => read(env as never)).toThrow(message);
});

test('a cluster with database 0 said outright is no contradiction', () => {
  expect(read({ REDIS_CLUSTER_NODES: 'c:1', REDIS_DB: '0' }).clusterNodes).toEqual([{ host: 'c', port: 1 }]);
});

test('a password may be given beside the URL', () => {
  expect(read({ REDIS_URL: 'redis://h', REDIS_PASSWORD: 'p' }).password).toBe('p');
});

test('a bad URL is refused without showing the password in it', () => {
  expect(() => read({ REDIS_URL: 'http://user:hunter2@h' })).toThrow('REDIS_URL=(hidden)');
});

test.each([
  [{}, 'redis://127.0.0.1:6379/0'],
  [{ REDIS_HOST: '::1', REDIS_TLS: 'on' }, 'rediss://[::1]:6379/0'],
  [{ REDIS_URL: 'rediss://user:hunter2@h:1/3' }, 'rediss://h:1/3'],
  [{ REDIS_URL: 'redis://h/' }, 'redis://h'],
  [{ REDIS_SENTINELS: 'a:1,b:2' }, 'redis sentinels a:1,b:2 (mymaster, db 0)'],
  [{ REDIS_CLUSTER_NODES: 'a:1,b:2' }, 'redis cluster a:1,b:2'],
])('%j is described without credentials', (env, text) => {
  expect(describeRedis(read(env as never))).toBe(text);
});
