import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../core/logger.js';
import type { RedisAddress } from '../core/redis-address.js';
import { isCommandTimeout } from './redis-errors.js';

export type Client = Redis | Cluster;

/**
 * Longest wait for one reply. A caller over HTTP is to be told within a second or two; the slowest script at its
 * largest batch takes some 5 ms.
 */
const COMMAND_TIMEOUT_MS = 1_200;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 2_000;

/**
 * A connection for ordinary commands: fails fast and never sends a command twice by itself. ioredis re-sends
 * after a reconnect unless told not to, which ran a plain enqueue twice (5.11 and 6.0); and without
 * `maxRetriesPerRequest: 0` the promise of a broken command stays pending.
 */
export function commandClient(address: RedisAddress, logger: Logger): Client {
  const client = createClient(address, 'fairlane', COMMAND_TIMEOUT_MS);
  reportState(client, 'Redis', logger);
  return client;
}

/** A connection for commands that replicas confirm; see confirmation.ts. */
export function confirmingClient(address: RedisAddress): Client {
  const client = createClient(address, 'fairlane-strict', COMMAND_TIMEOUT_MS);
  // The command connection reports; an unhandled 'error' event would end the process.
  client.on('error', () => undefined);
  return client;
}

/**
 * A connection for one blocking command at a time. No `commandTimeout`: waiting is its work, and whoever waits
 * watches the time (blocking.ts).
 */
export function blockingClient(address: RedisAddress, name: string): Client {
  const client = createClient(address, `fairlane-${name}`);
  // The command connection reports; an unhandled 'error' event would end the process.
  client.on('error', () => undefined);
  return client;
}

/** Lets commands under way finish. Away: there is nobody to say goodbye to, and no reason to go on reconnecting. */
export async function closeClient(client: Client): Promise<void> {
  await client.quit().catch(() => client.disconnect());
  // Quitting alone leaves the connections on which it hears of failovers.
  if (client instanceof Redis && client.options.sentinels?.length) client.disconnect();
}

/** After a reply that never came the socket may be half open: TCP would find out in a quarter of an hour. */
export function reconnectIfSilent(client: Client, error: unknown): void {
  if (isCommandTimeout(error) && client instanceof Redis && client.status === 'ready')
    client.disconnect(true);
}

function createClient(address: RedisAddress, connectionName: string, commandTimeout?: number): Client {
  const common: RedisOptions = {
    connectionName,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: reconnectDelayMs,
    // After a failover the old master answers READONLY: connect again, to the new one. 1 = do not re-send.
    reconnectOnError: (error) => (/^(READONLY|UNBLOCKED|MASTERDOWN)/.test(error.message) ? 1 : false),
    commandTimeout,
  };
  const credentials: RedisOptions = {
    username: address.username,
    password: address.password,
    ...(address.tls ? { tls: {} } : {}),
  };
  // Credentials may come beside the URL, which then need not be secret.
  if (address.url) return new Redis(address.url, { ...common, ...credentials });
  if (address.clusterNodes?.length) {
    return new Cluster([...address.clusterNodes], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: reconnectDelayMs,
      // MOVED and ASK are followed inside ioredis, except for scripts (script-runner.ts); what else is to be tried again
      // comes back to us.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      // Asks any one node, and so would cost each blocking connection another one.
      enableReadyCheck: commandTimeout !== undefined,
      redisOptions: { ...common, ...credentials },
    });
  }
  if (address.sentinels?.length) {
    return new Redis({
      ...common,
      ...credentials,
      db: address.db ?? 0,
      sentinels: [...address.sentinels],
      name: address.sentinelName ?? 'mymaster',
      sentinelPassword: address.sentinelPassword,
      enableTLSForSentinelMode: address.tls,
      failoverDetector: true,
    });
  }
  return new Redis({
    ...common,
    ...credentials,
    host: address.host ?? '127.0.0.1',
    port: address.port ?? 6379,
    db: address.db ?? 0,
  });
}

/** Full jitter, so that a thousand processes do not come back in step. */
function reconnectDelayMs(times: number): number {
  const ceiling = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(times, 10));
  return RECONNECT_MS_MIN / 2 + Math.random() * ceiling;
}

/** One line when it goes and one when it comes back, however many attempts lie between. */
function reportState(client: Client, what: string, logger: Logger): void {
  let away = false;
  let reason = 'connection closed';
  client.on('error', (error: Error) => {
    reason = error.message;
  });
  client.on('reconnecting', () => {
    if (away) return;
    away = true;
    logger.warn(`${what} is away (${reason}); reconnecting`);
  });
  client.on('ready', () => {
    if (away) logger.info(`${what} is back`);
    away = false;
  });
}
