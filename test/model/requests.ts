import type { LeaseRequest, QueueName } from '@app/queue';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import type { Pair } from './pair.js';
import type { RequestChoice } from './step.js';

export type Request = LeaseRequest & { requestId: string };

/** The lease requests of a story's workers, and which of them may be sent once more. */
export class Requests {
  #made = 0;
  /** Ids of those that took something. */
  readonly #took = new Set<string>();
  readonly #latest = new Map<string, Request>();

  constructor(private readonly pair: Pair) {}

  /** One with an id of its own. */
  fresh(queue: QueueName, { worker, ...choice }: Omit<RequestChoice, 'queue'>): Request {
    this.#made += 1;
    const request = { ...choice, queue, workerId: `w${worker}`, requestId: `r${this.#made}` };
    this.#latest.set(memoryKey(this.pair, request), request);
    return request;
  }

  latest(queue: QueueName, worker: number): Request | undefined {
    return this.#latest.get(memoryKey(this.pair, { queue, workerId: `w${worker}` }));
  }

  /**
   * An id is new for every lease, and tokens derive from it: one that took something is sent again only while
   * that is remembered, and never once the worker has gone on to another.
   */
  mayBeSent(request: Request): boolean {
    const key = memoryKey(this.pair, request);
    return (
      !this.hasTaken(request) || (this.#latest.get(key) === request && this.pair.forgetting.remembers(key))
    );
  }

  hasTaken(request: Request): boolean {
    return this.#took.has(request.requestId);
  }

  async answered(request: Request, tasks: number): Promise<void> {
    if (tasks === 0 || this.hasTaken(request)) return;
    this.#took.add(request.requestId);
    await this.pair.forgetting.keepUntil(
      memoryKey(this.pair, request),
      this.pair.clock.now() + request.leaseMs,
    );
  }
}

/** The key under which Redis remembers a worker's latest request. */
function memoryKey({ store }: Pair, { queue, workerId }: Pick<LeaseRequest, 'queue' | 'workerId'>): string {
  return queueKey(store.keyPrefix, queue, 'asked', workerId);
}
