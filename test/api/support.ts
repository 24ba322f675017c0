import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Queue } from '@app/queue';
import request from 'supertest';
import { createApi, type ApiOptions } from '../../apps/api/src/create-api.js';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';

const openApps = new Set<NestFastifyApplication>();

/** An API that listens on a port of its own until the test ends (`closeApis`). */
export async function startApi<Q extends Queue = MemoryQueue>(
  queue: Q = new MemoryQueue() as Queue as Q,
  settings: { apiKeys?: readonly string[]; requestTimeoutMs?: number } = {},
  options: ApiOptions = {},
) {
  const app = await createApi(
    queue,
    { auth: 'on', apiKeys: [], requestTimeoutMs: 30_000, ...settings },
    options,
  );
  await app.listen(0, '127.0.0.1');
  openApps.add(app);
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, queue, port, url: `http://127.0.0.1:${port}`, http: request(`http://127.0.0.1:${port}`) };
}

/** Call in `afterEach`. */
export async function closeApis(): Promise<void> {
  await Promise.all([...openApps].map((app) => app.close()));
  openApps.clear();
}

/** How many tasks there are, whatever their queue and state. */
export async function countStored(queue: Queue): Promise<number> {
  const { items } = await queue.queues(1_000);
  const overviews = await queue.overview(items);
  return overviews
    .flatMap((overview) => (overview ? Object.values(overview.states) : []))
    .reduce((sum, count) => sum + count, 0);
}
