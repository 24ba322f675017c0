import { setTimeout as delay } from 'node:timers/promises';
import { createRedisQueue, QueueError, type Queue } from '@app/queue';
import {
  createLogger,
  describeRedis,
  main,
  onShutdown,
  processSettings,
  readSettings,
  redisSettings,
  showHostPort,
  type Logger,
} from '@app/runtime';
import { apiSettings, requiredKeys } from './api.settings.js';
import { createApi } from './create-api.js';

const REOPEN_MS = 1_000;

await main('api', async () => {
  const settings = readSettings({ process: processSettings, redis: redisSettings, api: apiSettings });
  const log = createLogger({ name: 'api', level: settings.process.logLevel });
  const { keyPrefix, allowUnsafe, ...address } = settings.redis;
  const queue = createRedisQueue({ address, keyPrefix, allowUnsafe, logger: log });
  const api = await createApi(queue, settings.api, { log });
  const shutdown = onShutdown(
    [
      { name: 'http', run: () => api.close() },
      { name: 'queue', run: () => queue.close() },
    ],
    { log, deadlineMs: settings.api.shutdownTimeoutMs },
  );

  const isOpen = await open(queue, log);
  await api.listen({ port: settings.api.port, host: settings.api.host });
  log.info(
    { url: await api.getUrl(), redis: describeRedis(settings.redis) },
    requiredKeys(settings.api).length > 0
      ? 'listening; requests need an API key'
      : `listening on ${showHostPort(settings.api)} without authentication: no API key is configured or FAIRLANE_AUTH is off`,
  );
  while (!shutdown.begun && !isOpen && !(await open(queue, log))) await delay(REOPEN_MS);
});

/** False where the store is away: requests are answered 503 until it is back. An unfit store ends the process. */
async function open(queue: Queue, log: Logger): Promise<boolean> {
  try {
    await queue.open();
    return true;
  } catch (error) {
    if (!(error instanceof QueueError) || error.kind !== 'unavailable') throw error;
    log.warn({ err: error }, 'the store is away; trying again');
    return false;
  }
}
