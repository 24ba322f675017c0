import type * as Bull from 'bullmq';
import { LIMITS } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import type { RedisAddress } from '../core/redis-address.js';
import { QueueError } from '../core/errors.js';
import type { QueueName } from '../core/task.js';
import { toQueueError } from './bullmq-errors.js';

/** As long as our own engine waits: a caller over HTTP is to be told within a second or two. */
const COMMAND_TIMEOUT_MS = 1_200;
const CONNECT_TIMEOUT_MS = 2_000;
/** Redis does not close a connection that waits, nor one that is gone already: ioredis would keep a timer for 2 s. */
const DISCONNECT_TIMEOUT_MS = 50;
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 2_000;
/** Backends of queues are cheap and hold no connection; names come from requests. */
const BACKENDS_KEPT = 1_000;
/**
 * BullMQ looks for lapsed locks at most this often per queue, whoever asks, and takes a job away when it finds it without
 * one twice in a row.
 */
const STALLED_CHECK_MS = 5_000;
/** A queue that no name of ours can be: its metadata is where we keep what BullMQ has no place for. */
export const DIRECTORY = 'fairlane~directory';

export interface StoreOptions {
  address: RedisAddress;
  prefix: string;
  logger: Logger;
  /** What Redis lists its connection as. */
  connectionName?: string;
}

/**
 * BullMQ's operations on each queue, all over one connection. `IQueueBackend` is what its `Queue`, `Worker` and `Job` are
 * made of and give out by `getBackend()`: the same operations, with data as the text it is stored as and with a lock token
 * and worker's name for every call.
 */
export class Store {
  #bull?: typeof Bull;
  #connection?: Bull.RedisConnection;
  #root?: Bull.IQueueBackend;
  #backends = new Map<QueueName, Bull.IQueueBackend>();
  #away = false;
  #closed = false;

  constructor(private readonly options: StoreOptions) {}

  /** May be called again after it failed. */
  async open(): Promise<void> {
    const { address, prefix } = this.options;
    if (address.clusterNodes?.length) {
      throw new QueueError('store-unsuitable', { message: 'Queues on BullMQ cannot be on a Redis Cluster.' });
    }
    // Only who uses it pays for it at start.
    this.#bull ??= await import('bullmq');
    const connection = new this.#bull.RedisConnection(
      {
        ...this.#clientOptions(),
        connectionName: this.options.connectionName,
        commandTimeout: COMMAND_TIMEOUT_MS,
        maxRetriesPerRequest: 0,
      },
      { blocking: false },
    );
    connection.on('error', () => undefined);
    try {
      const client = await connection.client;
      this.#reportState(client);
      const settings = { connection: client, prefix, ...WORKER_OPTIONS };
      this.#root = this.#bull.createRedisBackend(DIRECTORY, settings);
      // It passes on what its connection says; an unhandled 'error' event would end the process.
      this.#root.on('error', () => undefined);
      await this.#root.waitUntilReady();
      this.#connection = connection;
    } catch (error) {
      await connection.close(true).catch(() => undefined);
      throw toQueueError(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#root?.close().catch(() => undefined);
    await this.#connection?.close(this.#away).catch(() => undefined);
    this.#backends.clear();
  }

  backend(queue: QueueName): Bull.IQueueBackend {
    if (!this.#root) throw new QueueError('store-unavailable', { message: 'The queue is not open.' });
    const known = this.#backends.get(queue);
    if (known) return known;
    if (this.#backends.size >= BACKENDS_KEPT) this.#backends.clear();
    const backend = this.#root.forQueue(queue);
    this.#backends.set(queue, backend);
    return backend;
  }

  /** One with a connection of its own, for reads that wait. */
  blockingBackend(queue: QueueName): Bull.IQueueBackend {
    const settings = { connection: this.#clientOptions(), prefix: this.options.prefix };
    const backend = this.#bull!.createRedisBackend(queue, settings, { blocking: true });
    // The command connection reports.
    backend.on('error', () => undefined);
    return backend;
  }

  /** What makes the next job of a schedule once one of its jobs has started. */
  schedulerOf(queue: QueueName): Bull.JobScheduler {
    const backend = this.backend(queue);
    const connection = this.#clientOptions();
    return new this.#bull!.JobScheduler(queue, { connection, prefix: this.options.prefix }, () => backend);
  }

  /** Runs an operation on a queue, with trouble of the store as callers know it. */
  async run<T>(queue: QueueName, operation: (backend: Bull.IQueueBackend) => Promise<T>): Promise<T> {
    try {
      return await operation(this.backend(queue));
    } catch (error) {
      throw toQueueError(error);
    }
  }

  warn(what: string, error: unknown): void {
    this.options.logger.warn(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }

  #clientOptions(): Bull.RedisOptions {
    const { url, host, port, db, username, password, tls, sentinels, sentinelName, sentinelPassword } =
      this.options.address;
    return {
      ...(url ? { url } : { host: host ?? '127.0.0.1', port: port ?? 6379, db: db ?? 0 }),
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls ? { tls: {} } : {}),
      ...(sentinels?.length
        ? {
            sentinels: [...sentinels],
            name: sentinelName ?? 'mymaster',
            sentinelPassword,
            failoverDetector: true,
          }
        : {}),
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: reconnectDelayMs,
      reconnectOnError: (error: Error) =>
        /^(READONLY|UNBLOCKED|MASTERDOWN)/.test(error.message) ? 1 : false,
    };
  }

  #reportState(client: Bull.RedisClient): void {
    const { logger } = this.options;
    client.on('close', () => {
      if (!this.#away && !this.#closed) logger.warn('Redis of the queues on BullMQ is away; reconnecting');
      this.#away = true;
    });
    client.on('ready', () => {
      if (this.#away) logger.info('Redis of the queues on BullMQ is back');
      this.#away = false;
    });
  }
}

const WORKER_OPTIONS = {
  /** Of the locks as they are taken; a lease of another length moves them at once. */
  lockDuration: LIMITS.leaseMsDefault,
  stalledInterval: STALLED_CHECK_MS,
  /** After one more the job fails. */
  maxStalledCount: LIMITS.crashesMax - 1,
};

function reconnectDelayMs(times: number): number {
  const ceiling = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(times, 10));
  return RECONNECT_MS_MIN / 2 + Math.random() * ceiling;
}
