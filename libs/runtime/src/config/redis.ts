import type { ConfigProblem } from './config-error.js';
import { boolean, hostPorts, integer, oneOf, showHostPort, string, url } from './kinds.js';
import { defineSettings, type SettingsOf } from './settings-table.js';

/** Where Redis (or Valkey) is and how Fairlane uses it: one server, a Sentinel group or a Cluster. */
export const redisSettings = defineSettings(
  'Redis',
  {
    url: url(['redis', 'rediss'], {
      env: 'REDIS_URL',
      description:
        'Address of a single Redis with everything in it: `redis[s]://user:password@host:port/db`. Excludes the other ways of saying where Redis is.',
      secret: true,
    }),
    host: string({}, { env: 'REDIS_HOST', description: 'Host of a single Redis.', default: '127.0.0.1' }),
    port: integer(
      { min: 1, max: 65_535 },
      { env: 'REDIS_PORT', description: 'Port of a single Redis.', default: 6379 },
    ),
    db: integer(
      { min: 0, max: 65_535 },
      { env: 'REDIS_DB', description: 'Number of the logical database.', default: 0 },
    ),
    username: string({}, { env: 'REDIS_USERNAME', description: 'ACL user.' }),
    password: string(
      {},
      { env: 'REDIS_PASSWORD', description: 'Password of the user, or of the server.', secret: true },
    ),
    tls: boolean({
      env: 'REDIS_TLS',
      description: 'Connect with TLS and verify the certificate.',
      default: false,
    }),
    sentinels: hostPorts({
      env: 'REDIS_SENTINELS',
      description: 'Sentinels to ask for the primary.',
      default: [],
    }),
    sentinelName: string(
      {},
      {
        env: 'REDIS_SENTINEL_NAME',
        description: 'Name of the group the Sentinels watch.',
        default: 'mymaster',
      },
    ),
    sentinelPassword: string(
      {},
      { env: 'REDIS_SENTINEL_PASSWORD', description: 'Password of the Sentinels themselves.', secret: true },
    ),
    clusterNodes: hostPorts({
      env: 'REDIS_CLUSTER_NODES',
      description: 'Some nodes of a Redis Cluster; the others are discovered.',
      default: [],
    }),
    keyPrefix: string(
      { pattern: /[A-Za-z0-9._-]{1,32}/, expected: '1 to 32 letters, digits, dots, underscores or hyphens' },
      {
        env: 'FAIRLANE_KEY_PREFIX',
        description: 'First part of every key, so that several installations can share one Redis.',
        default: 'fairlane',
      },
    ),
    allowUnsafe: boolean({
      env: 'FAIRLANE_ALLOW_UNSAFE_REDIS',
      description: "Start although Redis' `maxmemory-policy` may evict accepted tasks.",
      default: false,
    }),
    durability: oneOf(['standard', 'strict'], {
      env: 'FAIRLANE_DURABILITY',
      description:
        'What an answer means. `standard`: Redis has it, and is left to write it to disk as it is set to. `strict`: it is on disk, which Redis must be set to (`appendfsync always`), and `FAIRLANE_REPLICAS` have it. Not of queues on BullMQ.',
      default: 'standard',
    }),
    replicas: integer(
      { min: 0, max: 16 },
      {
        env: 'FAIRLANE_REPLICAS',
        description:
          'With durability `strict`: replicas that must have a change before it is answered; 503 where fewer confirm in time. Unset: 1 with Sentinels, else 0.',
      },
    ),
  },
  findContradictions,
);

export type RedisSettings = SettingsOf<typeof redisSettings>;

/** One line for logs that says which Redis is meant; never holds a user name or password. */
export function describeRedis(settings: RedisSettings): string {
  const scheme = settings.tls ? 'rediss' : 'redis';
  if (settings.url !== undefined) {
    const { protocol, host, pathname } = new URL(settings.url);
    return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
  }
  if (settings.clusterNodes.length > 0)
    return `${scheme} cluster ${settings.clusterNodes.map(showHostPort).join(',')}`;
  if (settings.sentinels.length > 0) {
    return `${scheme} sentinels ${settings.sentinels.map(showHostPort).join(',')} (${settings.sentinelName}, db ${settings.db})`;
  }
  return `${scheme}://${showHostPort(settings)}/${settings.db}`;
}

function findContradictions(
  values: { readonly db: number; readonly durability: string },
  given: ReadonlySet<string>,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const exclude = (env: string, others: string[], reason: string): void => {
    const both = given.has(env) ? others.filter((other) => given.has(other)) : [];
    if (both.length > 0) problems.push({ env, message: `${env} excludes ${both.join(', ')}: ${reason}` });
  };
  exclude(
    'REDIS_URL',
    // A separate user or password is left out on purpose: it is the usual way of keeping the secret out of the URL.
    ['REDIS_HOST', 'REDIS_PORT', 'REDIS_DB', 'REDIS_TLS', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'],
    'the URL alone says where Redis is',
  );
  exclude('REDIS_SENTINELS', ['REDIS_HOST', 'REDIS_PORT'], 'the Sentinels say where Redis is');
  exclude('REDIS_CLUSTER_NODES', ['REDIS_HOST', 'REDIS_PORT'], 'the nodes say where the cluster is');
  exclude('REDIS_SENTINELS', ['REDIS_CLUSTER_NODES'], 'a cluster has no Sentinels');
  if (given.has('REDIS_CLUSTER_NODES') && values.db !== 0) {
    problems.push({
      env: 'REDIS_DB',
      message: `REDIS_DB=${values.db} excludes REDIS_CLUSTER_NODES: a cluster has only database 0`,
    });
  }
  if (given.has('FAIRLANE_REPLICAS') && values.durability !== 'strict') {
    problems.push({
      env: 'FAIRLANE_REPLICAS',
      message: 'FAIRLANE_REPLICAS needs FAIRLANE_DURABILITY=strict: no replica is asked otherwise',
    });
  }
  return problems;
}
