import { once } from 'node:events';
import { Cluster, Redis } from 'ioredis';
import { QueueError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Client } from './connection.js';
import { globalKey } from './keys.js';
import { isRefusedCommand } from './redis-errors.js';

/**
 * Version of what is stored. A process refuses data newer than it knows, so that a rollback is noticed, and older than it
 * can still read. A new version reads the one before, so that a rolling deploy has both at work; 4 does not, since no
 * release ever wrote 1 to 3.
 */
const DATA_VERSION = 4;
const DATA_VERSION_MIN = 4;

const REDIS_VERSION_MIN = [7, 0] as const;
const VALKEY_VERSION_MIN = [7, 2] as const;

/** What a server is held to. */
interface Demands {
  allowUnsafe: boolean;
  /** Every write is to be on disk before it is answered. */
  strict: boolean;
  /** How many replicas are to confirm. */
  replicas: number;
  logger: Logger;
}

/**
 * Whether the server, on a cluster every master, is fit for a queue: its version, that it never evicts, that it persists,
 * and whose data it holds.
 *
 * @throws QueueError `store-unsuitable`
 */
export async function checkServer(client: Client, prefix: string, demands: Demands): Promise<void> {
  const servers = client instanceof Cluster ? client.nodes('master') : [client];
  await Promise.all(servers.map((server) => checkOne(server, demands)));
  if (client instanceof Redis) await checkDatabase(client);
  await checkDataVersion(client, prefix);
}

async function checkOne(server: Redis, { allowUnsafe, strict, replicas, logger }: Demands): Promise<void> {
  // A node of a cluster connects when it is first needed, and says no to what is asked before.
  if (server.status === 'wait') await server.connect();
  else if (server.status !== 'ready') await once(server, 'ready');
  const info = parseInfo(await server.info());
  checkVersion(info);
  checkEviction(info, allowUnsafe, logger);
  if (strict) await checkFsync(server, info, logger);
  else if (info.get('aof_enabled') === '0') {
    logger.warn(
      'Redis keeps no append-only file (appendonly no): a restart of Redis can lose accepted tasks',
    );
  }
  const connected = Number(info.get('connected_slaves'));
  if (connected < replicas) {
    logger.warn(
      `Redis has ${connected} replicas of the ${replicas} that must confirm: nothing is accepted until it has`,
    );
  }
}

async function checkFsync(server: Redis, info: ReadonlyMap<string, string>, logger: Logger): Promise<void> {
  if (info.get('aof_enabled') === '0') {
    throw unsuitable('Durability strict needs an append-only file: set appendonly yes in Redis.');
  }
  let settings: string[];
  try {
    settings = (await server.call('CONFIG', 'GET', 'appendfsync', 'no-appendfsync-on-rewrite')) as string[];
  } catch (error) {
    if (!isRefusedCommand(error)) throw error;
    logger.warn('Redis does not show its appendfsync: durability strict needs "always", see to it yourself');
    return;
  }
  if (!settings.includes('always')) {
    throw unsuitable('Durability strict needs every write on disk: set appendfsync always in Redis.');
  }
  if (settings.includes('yes')) {
    throw unsuitable(
      'Durability strict needs every write on disk: set no-appendfsync-on-rewrite no in Redis.',
    );
  }
}

function checkVersion(info: ReadonlyMap<string, string>): void {
  const valkey = info.get('valkey_version');
  const version = valkey ?? info.get('redis_version') ?? '0.0';
  const minimum = valkey ? VALKEY_VERSION_MIN : REDIS_VERSION_MIN;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > minimum[0] || (major === minimum[0] && minor >= minimum[1])) return;
  throw unsuitable(
    `${valkey ? 'Valkey' : 'Redis'} ${version} is too old: Fairlane needs Redis 7.0 or Valkey 7.2, or newer.`,
  );
}

function checkEviction(info: ReadonlyMap<string, string>, allowUnsafe: boolean, logger: Logger): void {
  const policy = info.get('maxmemory_policy');
  if (policy === undefined || policy === 'noeviction') return;
  const fault = `Redis may evict tasks when memory is short: maxmemory-policy is ${policy}, and must be noeviction`;
  if (!allowUnsafe)
    throw unsuitable(`${fault}. Set FAIRLANE_ALLOW_UNSAFE_REDIS=true to start in spite of that.`);
  logger.warn(fault);
}

/** ioredis goes on in database 0 where the server refuses the one that was asked for. */
async function checkDatabase(client: Redis): Promise<void> {
  const wanted = client.options.db ?? 0;
  const present = Number(/\bdb=(\d+)/.exec(String(await client.call('CLIENT', 'INFO')))?.[1]);
  if (present === wanted) return;
  throw unsuitable(`Redis has no database ${wanted}: see its setting "databases".`);
}

async function checkDataVersion(client: Client, prefix: string): Promise<void> {
  const key = globalKey(prefix, 'version');
  // Looked at first: a full store takes no write, and is when processes must be able to start and finish its tasks.
  if ((await client.get(key)) === null) await client.set(key, DATA_VERSION, 'NX');
  const stored = Number(await client.get(key));
  if (stored <= DATA_VERSION && stored >= DATA_VERSION_MIN) return;
  throw unsuitable(
    `The data under "${prefix}:" has format ${stored}, and this version of Fairlane knows ${DATA_VERSION}: ` +
      (stored > DATA_VERSION ? 'upgrade this process.' : 'upgrade through a version between.'),
  );
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function unsuitable(message: string): QueueError {
  return new QueueError('store-unsuitable', { message });
}
