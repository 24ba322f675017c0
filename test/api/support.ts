import type { AddressInfo } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Queue, Settlement } from '@app/queue';
import request from 'supertest';
import { createApi, type ApiOptions } from '../../apps/api/src/create-api.js';
import { MemoryQueue } from '../../libs/queue/src/memory/memory-queue.js';
import { openTestQueue, type TestQueue } from '../support/redis.js';

const openApps = new Set<NestFastifyApplication>();
const openStores = new Set<TestQueue>();

/** What an API can be tested over: `describe.each(STORES)`. */
export const STORES = ['memory', 'Redis'] as const;
export type Store = (typeof STORES)[number];

/** An API over a store of its own, on the Redis of all tests where it is Redis. */
export async function startApiOver(store: Store) {
  if (store === 'memory') return startApi<Queue>(new MemoryQueue());
  const opened = await openTestQueue();
  openStores.add(opened);
  return startApi(opened.queue);
}

/** An API that listens on a port of its own until the test ends (`closeApis`). */
export async function startApi<Q extends Queue = MemoryQueue>(
  queue: Q = new MemoryQueue() as Queue as Q,
  settings: {
    apiKeys?: readonly string[];
    requestTimeoutMs?: number;
    followersMax?: number;
    socketsMax?: number;
    socketPingMs?: number;
  } = {},
  options: ApiOptions = {},
) {
  const app = await createApi(
    queue,
    {
      auth: 'on',
      apiKeys: [],
      requestTimeoutMs: 30_000,
      followersMax: 100,
      socketsMax: 100,
      socketPingMs: 30_000,
      ...settings,
    },
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
  await Promise.all([...openStores].map((store) => store.cleanup()));
  openStores.clear();
}

/** A queue all of whose calls fail in one way, until it is mended. */
export function brokenQueue(error: () => unknown, whole: Queue = new MemoryQueue()) {
  let isBroken = true;
  const queue = new Proxy(whole, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      // What a backend has is known without its store.
      if (typeof member !== 'function' || name === 'capabilities') return member;
      return async (...args: unknown[]) => {
        if (isBroken) throw error();
        return Reflect.apply(member, target, args) as unknown;
      };
    },
  });
  return { queue, mend: () => void (isBroken = false) };
}

/** Leases the next task of a queue and ends the attempt as given; answers its id. */
export async function work(
  queue: Queue,
  name: string,
  end: Pick<Settlement, 'action'> & Partial<Settlement> = { action: 'complete' },
): Promise<string> {
  const { tasks } = await queue.lease({ queue: name, workerId: 'w', max: 1, leaseMs: 30_000 });
  const { id, leaseToken } = tasks[0]!;
  await queue.settle([{ id, leaseToken, ...end } as Settlement]);
  return id;
}

/** How many tasks there are, whatever their queue and state. */
export async function countStored(queue: Queue): Promise<number> {
  const { items } = await queue.queues(1_000);
  const overviews = await queue.overview(items);
  return overviews
    .flatMap((overview) => (overview ? Object.values(overview.states) : []))
    .reduce((sum, count) => sum + count, 0);
}
