import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis, startSentinel } from '../../tools/lib/redis.mjs';

const GROUP = 'mymaster';
const REPLICAS = 2;
const SENTINELS = 3;
const QUORUM = 2;

export interface TestGroup {
  /** For `RedisAddress.sentinels`. */
  readonly sentinels: readonly { host: string; port: number }[];
  readonly master: RedisServer;
  readonly replicas: readonly RedisServer[];
  /** A connection to a server, closed with the group. */
  connect(port: number): Redis;
  /** Resolves with the port of the new master once the Sentinels have put one in the place of the first. */
  readonly failover: Promise<number>;
  /** Starts the first master again, once it has ended, with its files. */
  bringBack(): Promise<void>;
  /** Stops every process and removes its files. */
  cleanup(): Promise<void>;
}

/** A master with two replicas that have caught up, and three Sentinels that know of all. */
export async function startSentinelGroup({
  appendfsync = 'everysec',
}: { appendfsync?: 'always' | 'everysec' } = {}): Promise<TestGroup> {
  const binary = process.env.TEST_REDIS_BINARY!;
  const dir = await mkdtemp(join(tmpdir(), 'fairlane-sentinel-'));
  const servers: RedisServer[] = [];
  const watchers: Pick<RedisServer, 'stop'>[] = [];
  const connections: Redis[] = [];
  const connect = (port: number) => {
    const redis = new Redis({ port });
    connections.push(redis);
    return redis;
  };
  const start = async (name: string, more: readonly string[] = [], port?: number) => {
    // A replica is served at once, instead of after five seconds in which others could join it.
    const args = ['--repl-diskless-sync-delay', '0', ...more];
    const server = await startRedis({ binary, dir: join(dir, name), appendfsync, args, port });
    servers.push(server);
    return server;
  };
  const cleanup = async () => {
    for (const connection of connections) connection.disconnect();
    // The Sentinels first, which would else look for a new master among those that stop.
    await Promise.all(watchers.map((sentinel) => sentinel.stop()));
    await Promise.all(servers.map((server) => server.stop()));
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const master = await start('master');
    const replicas: RedisServer[] = [];
    for (let i = 0; i < REPLICAS; i += 1) {
      replicas.push(await start(`replica-${i}`, ['--replicaof', `127.0.0.1 ${master.port}`]));
    }
    await untilReplicated(connect(master.port));
    const sentinels: { host: string; port: number }[] = [];
    for (let i = 0; i < SENTINELS; i += 1) {
      const sentinel = await startSentinel({
        binary,
        dir: join(dir, `sentinel-${i}`),
        config: [
          `sentinel monitor ${GROUP} 127.0.0.1 ${master.port} ${QUORUM}`,
          `sentinel down-after-milliseconds ${GROUP} 500`,
          `sentinel failover-timeout ${GROUP} 3000`,
        ],
      });
      watchers.push(sentinel);
      sentinels.push({ host: '127.0.0.1', port: sentinel.port });
    }
    for (const { port } of sentinels) await untilKnown(connect(port));
    const watcher = connect(sentinels[0]!.port);
    await watcher.subscribe('+switch-master');
    return {
      sentinels,
      master,
      replicas,
      connect,
      failover: failover(watcher),
      bringBack: async () => {
        await master.exited;
        await start('master', [], master.port);
      },
      cleanup,
    };
  } catch (error) {
    await cleanup();
    throw error;
  }
}

async function untilReplicated(master: Redis): Promise<void> {
  while ((await master.info('replication')).match(/state=online/g)?.length !== REPLICAS) await delay(25);
}

/** Until a failover could succeed: the Sentinel knows the replicas and the others of its kind. */
async function untilKnown(sentinel: Redis): Promise<void> {
  const known = `slaves=${REPLICAS},sentinels=${SENTINELS}`;
  while (!(await sentinel.info('sentinel')).includes(known)) await delay(25);
}

async function failover(watcher: Redis): Promise<number> {
  // Name of the group, host and port of the old master, host and port of the new one.
  const [, message] = (await once(watcher, 'message')) as [string, string];
  return Number(message.split(' ')[4]);
}
