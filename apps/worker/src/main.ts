import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { createQueue, meterQueue, openQueue } from '@app/queue';
import {
  backendSettings,
  chooseBackends,
  ConfigError,
  createHealthServer,
  createLogger,
  createMetrics,
  listening,
  describeRedis,
  main,
  NestLogger,
  onShutdown,
  processSettings,
  readSettings,
  redisSettings,
} from '@app/runtime';
import { findHandlers } from './handlers/find-handlers.js';
import { HandlersModule } from './handlers/handlers.module.js';
import { Worker } from './worker.js';
import { WorkerModule } from './worker.module.js';
import { apiVariables, workerSettings } from './worker.settings.js';

/** What a shutdown may take beside draining: graces, last settlements, closing. */
const SHUTDOWN_EXTRA_MS = 15_000;

const noWorkersOnMemory = {
  env: 'FAIRLANE_BACKEND',
  message: 'FAIRLANE_BACKEND=memory: only the API itself has that memory; workers ask it for tasks over HTTP',
};

await main('worker', async () => {
  const settings = readSettings(
    { process: processSettings, backend: backendSettings, redis: redisSettings, worker: workerSettings },
    process.env,
    { siblings: apiVariables },
  );
  const choice = chooseBackends(settings.backend, settings.redis);
  if (choice.main === 'memory') throw new ConfigError([noWorkersOnMemory]);
  const log = createLogger({ name: 'worker', level: settings.process.logLevel });
  const metrics = createMetrics();
  const app = await NestFactory.createApplicationContext(WorkerModule.of(settings.worker), {
    logger: new NestLogger(log),
    abortOnError: false,
  });
  const handlers = findHandlers(app, HandlersModule);
  const operations = metrics.histogram('queue_operation_duration_seconds');
  const { queue: plain } = await createQueue(choice, log);
  const queue = meterQueue(plain, (operation, outcome, durationMs) =>
    operations.observe({ operation, outcome }, durationMs / 1_000),
  );
  const worker = new Worker({
    queue,
    handlers,
    settings: settings.worker,
    log,
    metrics,
    onTerminate: () => void shutdown.begin('an operator asked for it'),
  });
  const health = createHealthServer({ ready: worker.readiness(), metrics, log });
  const shutdown = onShutdown(
    [
      { name: 'runner', run: (exitCode) => worker.drain({ crashed: exitCode !== 0 }) },
      { name: 'chores', run: () => worker.stopChores() },
      { name: 'handlers', run: () => app.close() },
      { name: 'health', run: () => health.close() },
      { name: 'queue', run: () => queue.close() },
    ],
    {
      log,
      deadlineMs: settings.worker.drainTimeoutMs + SHUTDOWN_EXTRA_MS,
      onSecondSignal: () => worker.runner.releaseNow(),
    },
  );

  const { host, port } = settings.worker;
  const healthPort = await listening(health.listen(port, host), {
    host,
    hostEnv: 'WORKER_HOST',
    port,
    portEnv: 'WORKER_PORT',
  });
  log.info({ redis: describeRedis(settings.redis), health: `http://${host}:${healthPort}` }, 'starting');
  await openQueue(queue, {
    givenUp: () => shutdown.begun,
    onAway: (error) => log.warn({ err: error }, 'the store is away; trying again'),
  });
  if (!shutdown.begun) worker.start();
});
