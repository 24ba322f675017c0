import type {
  Consumer,
  ExtendOutcome,
  Extension,
  Lease,
  LeaseRequest,
  SettleOutcome,
  Settlement,
} from '../core/ports/consumer.js';
import type { Queue } from '../core/ports/queue.js';
import type { QueueName } from '../core/task.js';
import type { Router } from './router.js';

/** Who gives a token back that nobody wants. It takes nothing. */
const GIVING_BACK = { workerId: 'router', max: 0, leaseMs: 1_000 };

export class RoutedConsumer implements Consumer {
  constructor(private readonly router: Router) {}

  async lease(request: LeaseRequest): Promise<Lease> {
    return this.router.of(request.queue).lease(request);
  }

  async settle(
    settlements: readonly Settlement[],
    next?: LeaseRequest,
  ): Promise<{ outcomes: SettleOutcome[]; lease?: Lease }> {
    const { of, ofTask } = this.router;
    const from = next && of(next.queue);
    let lease: Lease | undefined;
    const outcomes = await this.router.each(
      settlements,
      ({ id }) => ofTask(id),
      async (backend, group) => {
        const answer = await backend.settle(group, backend === from ? next : undefined);
        lease ??= answer.lease;
        return answer.outcomes;
      },
    );
    if (next) lease ??= await this.lease(next);
    return lease ? { outcomes, lease } : { outcomes };
  }

  extend(extensions: readonly Extension[], leaseMs: number): Promise<ExtendOutcome[]> {
    return this.router.each(
      extensions,
      ({ id }) => this.router.ofTask(id),
      (backend, group) => backend.extend(group, leaseMs),
    );
  }

  async waitForWork(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    const groups = new Map<Queue, QueueName[]>();
    for (const queue of queues) {
      const backend = this.router.of(queue);
      groups.set(backend, [...(groups.get(backend) ?? []), queue]);
    }
    const [only, ...others] = groups.keys();
    if (!only || others.length === 0) {
      return (only ?? this.router.main).waitForWork(queues, timeoutMs, signal, tenants);
    }

    const heard = new AbortController();
    const ended = signal ? AbortSignal.any([signal, heard.signal]) : heard.signal;
    let first: QueueName | undefined;
    const waits = [...groups].map(async ([backend, names]) => {
      const queue = await backend.waitForWork(names, timeoutMs, ended, tenants);
      if (queue === undefined) return;
      if (first === undefined) {
        first = queue;
        heard.abort();
      } else {
        // Two at once, and the caller is told of one: another worker must hear of the other.
        await backend.lease({ ...GIVING_BACK, queue, ...(tenants?.length && { tenants, steal: false }) });
      }
    });
    // One backend that is away keeps nobody from hearing of the others' work.
    const results = await Promise.allSettled(waits);
    const failed = results.find((result) => result.status === 'rejected');
    if (first === undefined && failed) throw failed.reason;
    return first;
  }

  async waitAndLease(request: LeaseRequest, timeoutMs: number, signal?: AbortSignal): Promise<Lease> {
    return this.router.of(request.queue).waitAndLease(request, timeoutMs, signal);
  }

  announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    return this.router.main.announceTypes(routes);
  }
}
