import { Redis } from 'ioredis';
import { QueueError } from '../core/errors.js';
import type { Client, Logger } from './connection.js';
import { globalKey } from './keys.js';

/**
 * Version of what is stored. A process refuses data newer than it knows, so that a rollback is noticed; it reads
 * data one version older, so that a rolling deploy has both at work.
 */
const DATA_VERSION = 1;

const REDIS_VERSION_MIN = [7, 0] as const;
const VALKEY_VERSION_MIN = [7, 2] as const;

/**
 * Whether the server is fit for a queue: its version, that it never evicts, that it persists, and whose data it
 * holds.
 *
 * @throws QueueError `store-unsuitable`
 */
export async function checkServer(
  client: Client,
  prefix: string,
  { allowUnsafe, logger }: { allowUnsafe: boolean; logger: Logger },
): Promise<void> {
  const info = parseInfo(await client.info());
  checkVersion(info);
  checkEviction(info, allowUnsafe, logger);
  if (info.get('aof_enabled') === '0') {
    logger.warn(
      'Redis keeps no append-only file (appendonly no): a restart of Redis can lose accepted tasks',
    );
  }
  await checkDatabase(client);
  await checkDataVersion(client, prefix);
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
async function checkDatabase(client: Client): Promise<void> {
  if (!(client instanceof Redis)) return;
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
  if (stored <= DATA_VERSION && stored >= DATA_VERSION - 1) return;
  throw unsuitable(
    `The data under "${prefix}:" has format ${stored}, and this version of Fairlane knows ${DATA_VERSION}: ` +
      (stored > DATA_VERSION ? 'upgrade this process.' : 'upgrade through the version between.'),
  );
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function unsuitable(message: string): QueueError {
  return new QueueError('store-unsuitable', { message });
}
