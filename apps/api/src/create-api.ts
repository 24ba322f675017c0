import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Backends, Queue } from '@app/queue';
import { createLogger, createMetrics, NestLogger, type Logger } from '@app/runtime';
import { ApiModule } from './api.module.js';
import { requiredKeys, type ApiSettings } from './api.settings.js';
import { requireApiKey } from './http/auth.js';
import { registerBodyParsers } from './http/body-parsers.js';
import { serveDocs } from './http/docs.js';
import { createAdapter, limitBodyTime, registerHooks } from './http/fastify.js';
import { describeApi } from './http/openapi.js';
import { ParkedWaits } from './http/parked-waits.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RouteTable } from './http/route-table.js';
import { routeUpgrades } from './http/upgrade.js';
import { measureRequests, type ApiMetrics } from './metrics/http-metrics.js';
import { describeSocket } from './socket/asyncapi.js';

/** What an API may be given beside its queue and settings. */
export interface ApiOptions {
  /** Default: silent. */
  log?: Logger;
  /** Default: its own. */
  metrics?: ApiMetrics;
  /** What the queue is made of, to be shown. Default: one backend called `custom`. */
  backends?: Backends;
}

/**
 * The API over any queue, ready to listen or to be injected requests. Closing it answers waiting requests at once and lets
 * those in flight end; the queue stays open, since it belongs to the caller.
 */
export async function createApi(
  queue: Queue,
  settings: Pick<
    ApiSettings,
    'auth' | 'apiKeys' | 'requestTimeoutMs' | 'followersMax' | 'socketsMax' | 'socketPingMs'
  >,
  {
    log = createLogger({ name: 'api', level: 'silent' }),
    metrics = createMetrics(),
    backends = { main: { name: 'custom', capabilities: queue.capabilities() }, others: [] },
  }: ApiOptions = {},
): Promise<NestFastifyApplication> {
  const adapter = createAdapter();
  const instance = adapter.getInstance();
  const routes = new RouteTable(instance);
  const keys = requiredKeys(settings);

  registerHooks(instance, log, () => app.get(ParkedWaits));
  measureRequests(instance, metrics);
  if (keys.length > 0) requireApiKey(instance, keys);
  limitBodyTime(instance, settings.requestTimeoutMs);
  registerBodyParsers(instance);
  routeUpgrades(instance);

  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.of(queue, backends, metrics, routes, settings.followersMax, {
      log,
      connectionsMax: settings.socketsMax,
      pingMs: settings.socketPingMs,
      hasKeys: keys.length > 0,
    }),
    adapter,
    {
      logger: new NestLogger(log),
      bodyParser: false,
      abortOnError: false,
    },
  );
  app.useGlobalFilters(new ProblemFilter(routes, log));
  serveDocs(instance, {
    '/openapi.json': () => describeApi(app),
    '/asyncapi.json': () => describeSocket(app),
  });
  await app.init();
  await instance.ready();
  return app;
}
