import type { Queue } from '../core/ports/queue.js';
import { RoutedConsumer } from './consumer.js';
import { probeAll, queuesOf } from './inspector.js';
import { RoutedObserver } from './observer.js';
import { RoutedProducer } from './producer.js';
import { allOf, type NamedBackend, type Route, Router } from './router.js';

export type { Route };

/**
 * One queue made of several backends, of which each has some of the queues: whatever concerns a queue or a task goes to
 * the one that has it. Types, workers and the election for chores are the main one's.
 */
export function routeQueue(first: NamedBackend, routes: readonly Route[]): Queue {
  const main = first.backend;
  if (routes.length === 0) return main;
  const router = new Router(first, routes);
  const { of, ofTask } = router;
  const producer = new RoutedProducer(router);
  const consumer = new RoutedConsumer(router);
  const observer = new RoutedObserver(router);
  const opened = new Set<Queue>();

  return {
    capabilities: (queue) => (queue === undefined ? main : of(queue)).capabilities(queue),
    enqueue: producer.enqueue.bind(producer),
    queueOf: producer.queueOf.bind(producer),
    lease: consumer.lease.bind(consumer),
    settle: consumer.settle.bind(consumer),
    extend: consumer.extend.bind(consumer),
    waitForWork: consumer.waitForWork.bind(consumer),
    waitAndLease: consumer.waitAndLease.bind(consumer),
    announceTypes: consumer.announceTypes.bind(consumer),
    get: (ids) => router.each(ids, ofTask, (backend, group) => backend.get(group)),
    list: async (query) => of(query.queue).list(query),
    logs: async (id) => ofTask(id).logs(id),
    queues: (limit, cursor) => queuesOf(router, limit, cursor),
    overview: (queues) => router.each(queues, of, (backend, group) => backend.overview(group)),
    settings: async (queue) => of(queue).settings(queue),
    tenants: async (queue, limit, cursor) => of(queue).tenants(queue, limit, cursor),
    tenant: async (queue, tenant) => of(queue).tenant(queue, tenant),
    activity: async (queue, workerIds) => of(queue).activity(queue, workerIds),
    leased: async (queue, workerId, limit) => of(queue).leased(queue, workerId, limit),
    waitForEnd: async (id, ...how) => ofTask(id).waitForEnd(id, ...how),
    probe: () => probeAll(router),
    follow: observer.follow.bind(observer),
    snapshot: observer.snapshot.bind(observer),
    cancel: (ids) => router.each(ids, ofTask, (backend, group) => backend.cancel(group)),
    retry: (ids) => router.each(ids, ofTask, (backend, group) => backend.retry(group)),
    remove: (ids) => router.each(ids, ofTask, (backend, group) => backend.remove(group)),
    update: (changes) =>
      router.each(
        changes,
        ({ id }) => ofTask(id),
        (backend, group) => backend.update(group),
      ),
    configure: async (queue, settings) => of(queue).configure(queue, settings),
    configureTenant: async (queue, tenant, settings) => of(queue).configureTenant(queue, tenant, settings),
    pause: async (queue, tenant) => of(queue).pause(queue, tenant),
    resume: async (queue, tenant) => of(queue).resume(queue, tenant),
    drain: async (queue) => of(queue).drain(queue),
    purge: async (request) => of(request.queue).purge(request),
    deleteQueue: async (queue) => of(queue).deleteQueue(queue),
    register: main.register.bind(main),
    deregister: main.deregister.bind(main),
    tell: main.tell.bind(main),
    worker: main.worker.bind(main),
    workers: main.workers.bind(main),
    commands: main.commands.bind(main),
    promote: async (queue) => of(queue).promote(queue),
    reap: async (queue) => of(queue).reap(queue),
    prune: async (queue) => of(queue).prune(queue),
    electForChores: main.electForChores.bind(main),
    async open() {
      await router.all(async (backend) => {
        if (!opened.has(backend)) await backend.open();
        opened.add(backend);
      });
    },
    async close() {
      await allOf(router.backends.map((backend) => backend.close()));
    },
  };
}
