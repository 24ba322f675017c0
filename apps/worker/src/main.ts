import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { createRedisQueue, QueueError, type Queue } from '@app/queue';
import {
  createHealthServer,
  createLogger,
  createMetrics,
  describeRedis,
  main,
  NestLogger,
  onShutdown,
  processSettings,
  readSettings,
  redisSettings,
  type Logger,
} from '@app/runtime';
import { findHandlers } from './handlers/find-handlers.js';
import { HandlersModule } from './handlers/handlers.module.js';
import { Worker } from './worker.js';
import { WorkerModule } from './worker.module.js';
import { apiVariables, workerSettings } from './worker.settings.js';

const REOPEN_MS = 1_000;
/** What a shutdown may take beside draining: graces, last settlements, closing. */
const SHUTDOWN_EXTRA_MS = 15_000;

await main('worker', async () => {
  const settings = readSettings(
    { process: processSettings, redis: redisSettings, worker: workerSettings },
    process.env,
    { siblings: apiVariables },
  );
  const log = createLogger({ name: 'worker', level: settings.process.logLevel });
  const metrics = createMetrics();
  const app = await NestFactory.createApplicationContext(WorkerModule.of(settings.worker), {
    logger: new NestLogger(log),
    abortOnError: false,
  });
  const handlers = findHandlers(app, HandlersModule);
  const { keyPrefix, allowUnsafe, ...address } = settings.redis;
  const queue = createRedisQueue({ address, keyPrefix, allowUnsafe, logger: log });
  const worker = new Worker({ queue, handlers, settings: settings.worker, log, metrics });
  const health = createHealthServer({ ready: worker.readiness(), metrics, log });
  const shutdown = onShutdown(
    [
      { name: 'runner', run: () => worker.drain() },
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
  log.info(
    { redis: describeRedis(settings.redis), health: `http://${host}:${await health.listen(port, host)}` },
    'starting',
  );
  while (!shutdown.begun && !(await open(queue, log))) await delay(REOPEN_MS);
  if (!shutdown.begun) worker.start();
});

/** False where the store is away. An unfit store ends the process. */
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
