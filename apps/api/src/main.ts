import { setTimeout as delay } from 'node:timers/promises';
import { Chores, createQueue, meterQueue, openQueue } from '@app/queue';
import {
  backendSettings,
  chooseBackends,
  createLogger,
  createMetrics,
  describeRedis,
  listening,
  main,
  onShutdown,
  processSettings,
  readSettings,
  redisSettings,
  showHostPort,
} from '@app/runtime';
import { apiSettings, requiredKeys } from './api.settings.js';
import { createApi } from './create-api.js';

const STORE_PATIENCE_MS = 2_000;

await main('api', async () => {
  const settings = readSettings({
    process: processSettings,
    backend: backendSettings,
    redis: redisSettings,
    api: apiSettings,
  });
  const log = createLogger({ name: 'api', level: settings.process.logLevel });
  const choice = chooseBackends(settings.backend, settings.redis);
  const metrics = createMetrics();
  const operations = metrics.histogram('queue_operation_duration_seconds');
  const { queue: plain, backends } = await createQueue(choice, log);
  const queue = meterQueue(plain, (operation, outcome, durationMs) =>
    operations.observe({ operation, outcome }, durationMs / 1_000),
  );
  const api = await createApi(queue, settings.api, { log, metrics, backends });
  // Where no worker can see the queues, nobody else does them.
  const chores = choice.main === 'memory' ? new Chores({ queue, holder: 'api', log }) : undefined;
  const shutdown = onShutdown(
    [
      { name: 'http', run: () => api.close() },
      { name: 'chores', run: async () => chores?.stop() },
      { name: 'queue', run: () => queue.close() },
    ],
    { log, deadlineMs: settings.api.shutdownTimeoutMs },
  );

  const opened = openQueue(queue, {
    givenUp: () => shutdown.begun,
    onAway: (error) => log.warn({ err: error }, 'the store is away; requests are answered 503'),
  });
  // Without a store there is an answer too, and it is better than a refused connection.
  await Promise.race([opened, delay(STORE_PATIENCE_MS, undefined, { ref: false })]);
  const { host, port } = settings.api;
  await listening(api.listen({ port, host }), { host, hostEnv: 'HOST', port, portEnv: 'PORT' });
  log.info(
    {
      url: await api.getUrl(),
      backend: choice.main,
      redis: choice.main === 'memory' ? undefined : describeRedis(settings.redis),
      onBullmq: choice.others.find(({ name }) => name === 'bullmq')?.queues,
    },
    requiredKeys(settings.api).length > 0
      ? 'listening; requests need an API key'
      : `listening on ${showHostPort(settings.api)} without authentication: no API key is configured or FAIRLANE_AUTH is off`,
  );
  await opened;
  if (!shutdown.begun) chores?.start();
});
