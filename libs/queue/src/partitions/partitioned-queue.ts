import type { Queue } from '../core/ports/queue.js';
import { PartitionedConsumer } from './consumer.js';
import { PartitionedInspector } from './inspector.js';
import { PartitionedMaintainer } from './maintainer.js';
import { PartitionedObserver } from './observer.js';
import { PartitionedOperator } from './operator.js';
import { PartitionCounts } from './partition-counts.js';
import { PartitionedProducer } from './producer.js';
import { TaskFinder } from './task-finder.js';

/**
 * The same queue, of which each may be split into partitions (`QueueSettings.partitions`): to the backend they are queues
 * of their own, to callers there is one. A queue that is not split costs one look at its settings per second. What
 * order, fairness and limits mean in one that is: `docs/decisions/0010-partitions.md`.
 */
export function partitionQueue(inner: Queue): Queue {
  const counts = new PartitionCounts(inner);
  const finder = new TaskFinder(inner, counts);
  const producer = new PartitionedProducer(inner, counts);
  const consumer = new PartitionedConsumer(inner, counts);
  const inspector = new PartitionedInspector(inner, counts, finder);
  const observer = new PartitionedObserver(inner, counts, finder);
  const operator = new PartitionedOperator(inner, counts, finder);
  const maintainer = new PartitionedMaintainer(inner, counts);

  return {
    capabilities: inner.capabilities.bind(inner),
    enqueue: producer.enqueue.bind(producer),
    queueOf: producer.queueOf.bind(producer),
    lease: consumer.lease.bind(consumer),
    settle: consumer.settle.bind(consumer),
    extend: consumer.extend.bind(consumer),
    waitForWork: consumer.waitForWork.bind(consumer),
    announceTypes: consumer.announceTypes.bind(consumer),
    get: inspector.get.bind(inspector),
    list: inspector.list.bind(inspector),
    logs: inspector.logs.bind(inspector),
    queues: inspector.queues.bind(inspector),
    overview: inspector.overview.bind(inspector),
    settings: inspector.settings.bind(inspector),
    tenants: inspector.tenants.bind(inspector),
    tenant: inspector.tenant.bind(inspector),
    activity: inspector.activity.bind(inspector),
    leased: inspector.leased.bind(inspector),
    waitForEnd: inspector.waitForEnd.bind(inspector),
    probe: inspector.probe.bind(inspector),
    follow: observer.follow.bind(observer),
    snapshot: observer.snapshot.bind(observer),
    cancel: operator.cancel.bind(operator),
    retry: operator.retry.bind(operator),
    update: operator.update.bind(operator),
    remove: operator.remove.bind(operator),
    configure: operator.configure.bind(operator),
    configureTenant: operator.configureTenant.bind(operator),
    pause: operator.pause.bind(operator),
    resume: operator.resume.bind(operator),
    drain: operator.drain.bind(operator),
    purge: operator.purge.bind(operator),
    deleteQueue: operator.deleteQueue.bind(operator),
    register: inner.register.bind(inner),
    deregister: inner.deregister.bind(inner),
    tell: inner.tell.bind(inner),
    worker: inner.worker.bind(inner),
    workers: inner.workers.bind(inner),
    commands: inner.commands.bind(inner),
    promote: maintainer.promote.bind(maintainer),
    reap: maintainer.reap.bind(maintainer),
    prune: maintainer.prune.bind(maintainer),
    electForChores: maintainer.electForChores.bind(maintainer),
    open: () => inner.open(),
    close: () => inner.close(),
  };
}
