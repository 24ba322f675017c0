import { randomBytes } from 'node:crypto';
import { checkLeaseRequest } from '../core/checks.js';
import { checkQueueName } from '../core/names.js';
import type {
  Consumer,
  ExtendOutcome,
  Extension,
  Lease,
  LeaseRequest,
  SettleOutcome,
  Settlement,
} from '../core/ports/consumer.js';
import type { QueueName } from '../core/task.js';
import { waitThenLease } from '../core/wait-then-lease.js';
import { gather } from './gather.js';
import type { PartitionCounts } from './partition-counts.js';
import { partitionNames, partitionOf, partitionsWith, queueOfPartition } from './partition.js';
import { inQueue } from './views.js';

export class PartitionedConsumer implements Consumer {
  /** Partitions whose wake token somebody here was given, by queue, until its next lease. */
  private readonly heard = new Map<QueueName, Set<QueueName>>();

  constructor(
    private readonly inner: Consumer,
    private readonly counts: PartitionCounts,
  ) {}

  async lease(given: LeaseRequest): Promise<Lease> {
    checkQueueName(given.queue, '/queue');
    const count = await this.counts.of(given.queue);
    if (count === 1) return this.inner.lease(given);
    const request = identified(given);
    return this.gather(request, leasePlan(request, count));
  }

  async settle(
    settlements: readonly Settlement[],
    next?: LeaseRequest,
  ): Promise<{ outcomes: SettleOutcome[]; lease?: Lease }> {
    if (!next) return this.inner.settle(settlements);
    checkQueueName(next.queue, '/queue');
    const count = await this.counts.of(next.queue);
    if (count === 1) return this.inner.settle(settlements, next);
    const request = identified(next);
    const plan = leasePlan(request, count);
    const [first] = plan;
    const ask = first === undefined ? undefined : { ...request, queue: first };
    const { outcomes, lease } = await this.inner.settle(settlements, ask);
    return { outcomes, lease: await this.gather(request, plan, lease) };
  }

  private async gather(request: LeaseRequest, plan: readonly QueueName[], first?: Lease): Promise<Lease> {
    const { queue, max } = request;
    const heard = this.heard.get(queue) ?? new Set();
    this.heard.delete(queue);
    const ask = (partition: QueueName, share: number) => {
      // To pass a token on is not to use the request up.
      const requestId = share === 0 && max > 0 ? undefined : request.requestId;
      return this.inner.lease({ ...request, queue: partition, max: share, requestId });
    };
    const lease = await gather({ partitions: plan, heard, max, ask, first });
    return { ...lease, tasks: lease.tasks.map(inQueue) };
  }

  extend(extensions: readonly Extension[], leaseMs: number): Promise<ExtendOutcome[]> {
    return this.inner.extend(extensions, leaseMs);
  }

  async waitForWork(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    for (const queue of queues) checkQueueName(queue, '/queue');
    const counts = await Promise.all(queues.map((queue) => this.counts.of(queue)));
    const whose = tenants?.length ? tenants : undefined;
    const names = queues.flatMap((queue, i) => partitionsWith(queue, counts[i]!, whose));
    const name = await this.inner.waitForWork(names, timeoutMs, signal, tenants);
    if (name === undefined) return undefined;
    const queue = queueOfPartition(name);
    if (counts[queues.indexOf(queue)] === 1) return queue;
    const heard = this.heard.get(queue) ?? new Set();
    this.heard.set(queue, heard.add(name));
    return queue;
  }

  async waitAndLease(request: LeaseRequest, timeoutMs: number, signal?: AbortSignal): Promise<Lease> {
    checkQueueName(request.queue, '/queue');
    const count = await this.counts.of(request.queue);
    if (count === 1) return this.inner.waitAndLease(request, timeoutMs, signal);
    return waitThenLease(this, request, timeoutMs, signal);
  }

  async announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    for (const queue of Object.values(routes)) checkQueueName(queue, '/queue');
    return this.inner.announceTypes(routes);
  }
}

/**
 * Which partitions to ask, those of the request's own tenants first. Where to begin follows from the request's identity,
 * so that all get their turn and a repeat asks the same.
 */
function leasePlan(request: LeaseRequest, count: number): QueueName[] {
  const { queue, requestId = '', tenants = [], steal = true } = request;
  const own = partitionsWith(queue, count, tenants);
  const others = partitionsWith(queue, count, steal === true ? undefined : steal || []);
  const names = partitionNames(queue, count);
  const start = partitionOf(requestId, count);
  const turned = [...names.slice(start), ...names.slice(0, start)];
  return [
    ...turned.filter((name) => own.includes(name)),
    ...turned.filter((name) => !own.includes(name) && others.includes(name)),
  ];
}

function identified(request: LeaseRequest): LeaseRequest {
  checkLeaseRequest(request);
  if (request.max === 0) return request;
  return { ...request, requestId: request.requestId ?? randomBytes(16).toString('base64url') };
}
