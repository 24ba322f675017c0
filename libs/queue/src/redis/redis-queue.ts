import { randomUUID } from 'node:crypto';
import { Cluster } from 'ioredis';
import { ALL_CAPABILITIES } from '../core/capabilities.js';
import type { Clock } from '../core/clock.js';
import { LIMITS } from '../core/limits.js';
import type { Logger } from '../core/logger.js';
import { joinRoles } from '../core/operations.js';
import type { Queue } from '../core/ports/queue.js';
import type { RedisAddress } from '../core/redis-address.js';
import type { QueueName } from '../core/task.js';
import { Confirmation } from './confirmation.js';
import { type Client, blockingClient, closeClient, commandClient, confirmingClient } from './connection.js';
import { RedisConsumer } from './consumer.js';
import { Directory } from './directory.js';
import { EndWatcher } from './end-watcher.js';
import { RedisInspector } from './inspector.js';
import { RedisMaintainer } from './maintainer.js';
import { RedisOperator } from './operator.js';
import { RedisObserver } from './observer.js';
import { PerQueueStreams, PerQueueWake } from './per-queue.js';
import { RedisProducer } from './producer.js';
import { toQueueError } from './redis-errors.js';
import { RedisRegistry } from './registry.js';
import { ScriptRunner } from './script-runner.js';
import { checkServer } from './server-check.js';
import { StreamHistory } from './stream-history.js';
import { StreamReader } from './stream-reader.js';
import { WakeListener } from './wake-listener.js';

export interface RedisQueueOptions {
  address: RedisAddress;
  /** Start of every key. Default `fairlane`. */
  keyPrefix?: string;
  /** Accept a server that may evict tasks. Default false. */
  allowUnsafe?: boolean;
  /**
   * What an answer means. `standard`: Redis has it, and writes it to disk as it is set to. `strict`: it is on Redis' disk,
   * which Redis must be set to (`store-unsuitable` else), and `replicas` have it. Default `standard`.
   */
  durability?: 'standard' | 'strict';
  /**
   * Replicas that must have a change before it is answered, with durability `strict`; where fewer confirm in time, the
   * call fails with kind `unavailable`. Default: 1 with Sentinels, else 0.
   */
  replicas?: number;
  /** Default: silent. */
  logger?: Logger;
  /** For tests, which own time. Default: Redis' clock. */
  clock?: Clock;
  /** For tests. Source of retry jitter, in [0, 1). Default `Math.random`. */
  random?: () => number;
}

const SILENT: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * The engine on Redis or Valkey. Three connections per process at most: one for commands, one that waits for
 * work, one that follows events; the last two only once somebody waits, and on a cluster one for each queue. One more
 * where replicas confirm.
 */
export function createRedisQueue(options: RedisQueueOptions): Queue {
  const {
    address,
    keyPrefix = 'fairlane',
    allowUnsafe = false,
    durability = 'standard',
    logger = SILENT,
    random = Math.random,
  } = options;
  const client = commandClient(address, logger);
  const strict = durability === 'strict';
  const replicas = strict ? (options.replicas ?? (address.sentinels?.length ? 1 : 0)) : 0;
  const confirming = replicas > 0 ? confirmingClient(address) : undefined;
  const confirmation = confirming && new Confirmation(confirming, replicas);
  const scripts = new ScriptRunner(client, keyPrefix, options.clock, confirmation);
  const directory = new Directory(client, scripts, keyPrefix);
  const processId = randomUUID();
  const passOn = async (queue: QueueName, tenants?: readonly string[]) => {
    const only = tenants && { tenants, steal: false };
    await consumer.lease({ queue, workerId: processId, max: 0, leaseMs: LIMITS.leaseMsMin, ...only });
  };
  const createWake = () => new WakeListener(() => blockingClient(address, 'wake'), client, keyPrefix, passOn);
  const history = new StreamHistory(client, scripts, keyPrefix);
  const createReader = (onIdle?: () => void) =>
    new StreamReader(() => blockingClient(address, 'events'), client, history, keyPrefix, onIdle);
  const cluster = client instanceof Cluster;
  const wake = cluster ? new PerQueueWake(createWake, passOn) : createWake();
  const streams = cluster ? new PerQueueStreams(createReader) : createReader();
  const consumer: RedisConsumer = new RedisConsumer(scripts, directory, wake, random);
  const observer = new RedisObserver(client, scripts, directory, streams, history);

  return joinRoles({
    producer: new RedisProducer(scripts, directory),
    consumer,
    inspector: new RedisInspector(client, scripts, directory, new EndWatcher(streams), keyPrefix, processId),
    observer,
    operator: new RedisOperator(scripts, directory),
    registry: new RedisRegistry(client, scripts, keyPrefix),
    maintainer: new RedisMaintainer(client, scripts, keyPrefix),
    own: {
      capabilities: () => ALL_CAPABILITIES,
      async open() {
        try {
          await connect(client);
          await checkServer(client, keyPrefix, { allowUnsafe, strict, replicas, logger });
          if (confirming) await connect(confirming);
        } catch (error) {
          client.disconnect();
          confirming?.disconnect();
          throw toQueueError(error);
        }
      },
      async close() {
        wake.close();
        observer.close();
        streams.close();
        await Promise.all([closeClient(client), confirming && closeClient(confirming)]);
      },
    },
  });
}

/** Reconnecting on its own is the client's business; here it is given a while to succeed for the first time. */
const OPEN_MS = 10_000;

function connect(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    let reason: unknown = new Error('no connection');
    const timer = setTimeout(() => finish(reason), OPEN_MS);
    const onError = (error: unknown) => {
      reason = error;
      // Wrong credentials do not become right by waiting.
      if (toQueueError(error).code === 'store-unsuitable') finish(error);
    };
    const onReady = () => finish();
    function finish(error?: unknown): void {
      clearTimeout(timer);
      client.off('error', onError).off('ready', onReady);
      if (error === undefined) resolve();
      else reject(error as Error);
    }
    client.on('error', onError).on('ready', onReady);
    client.connect().catch(onError);
  });
}
