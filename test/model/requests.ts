import { type LeaseRequest, LIMITS, type QueueName } from '@app/queue';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import type { Pair } from './pair.js';
import type { RequestChoice } from './step.js';

export type Request = LeaseRequest & { requestId: string };

/** The lease requests of a story's workers, and which of them may be sent once more. */
export class Requests {
  #made = 0;
  /** Ids of those that took something. */
  readonly #took = new Set<string>();
  /** Ids of a worker's latest of these. Written again later, its memory has lost those from before it was forgotten. */
  readonly #kept = new Map<string, readonly string[]>();
  /** Of each worker the latest, and the one before. */
  readonly #latest = new Map<string, Request[]>();
  readonly #givenUp = new Map<string, Request[]>();

  constructor(private readonly pair: Pair) {}

  /** One with an id of its own. */
  fresh(queue: QueueName, choice: Omit<RequestChoice, 'queue'>): Request {
    return this.#make(queue, choice, this.#latest);
  }

  /** One that is used up before it is sent. */
  givenUp(queue: QueueName, choice: Omit<RequestChoice, 'queue'>): Request {
    return this.#make(queue, choice, this.#givenUp);
  }

  /** The latest of these. */
  late(queue: QueueName, worker: number): Request | undefined {
    return this.#givenUp.get(memoryKey(this.pair, { queue, workerId: `w${worker}` }))?.[0];
  }

  /** The latest, or the one before. */
  latest(queue: QueueName, worker: number, before: boolean): Request | undefined {
    return this.#latest.get(memoryKey(this.pair, { queue, workerId: `w${worker}` }))?.[before ? 1 : 0];
  }

  /**
   * An id is new for every lease, and tokens derive from it: one that took something is sent again only while
   * that is remembered.
   */
  mayBeSent(request: Request): boolean {
    return !this.hasTaken(request) || this.#keptOf(memoryKey(this.pair, request)).includes(request.requestId);
  }

  hasTaken(request: Request): boolean {
    return this.#took.has(request.requestId);
  }

  async answered(request: Request, tasks: number): Promise<void> {
    const { store, forgetting, clock } = this.pair;
    const key = memoryKey(this.pair, request);
    const kept = this.#keptOf(key);
    const isFirst = tasks > 0 && !this.hasTaken(request);
    this.#kept.set(key, isFirst ? [request.requestId, ...kept].slice(0, LIMITS.requestsKept) : kept);
    if (isFirst) this.#took.add(request.requestId);
    // Written just now, and not before.
    if ((await store.redis.pttl(key)) > 0)
      await forgetting.keepUntil(key, clock.now() + Math.max(request.leaseMs, LIMITS.requestKeptMsMin));
  }

  #keptOf(key: string): readonly string[] {
    return this.pair.forgetting.remembers(key) ? (this.#kept.get(key) ?? []) : [];
  }

  #make(
    queue: QueueName,
    { worker, ...choice }: Omit<RequestChoice, 'queue'>,
    made: Map<string, Request[]>,
  ): Request {
    this.#made += 1;
    const request = { ...choice, queue, workerId: `w${worker}`, requestId: `r${this.#made}` };
    const key = memoryKey(this.pair, request);
    made.set(key, [request, ...(made.get(key) ?? [])].slice(0, 2));
    return request;
  }
}

/** The key under which Redis remembers a worker's latest requests. */
function memoryKey({ store }: Pair, { queue, workerId }: Pick<LeaseRequest, 'queue' | 'workerId'>): string {
  return queueKey(store.keyPrefix, queue, 'asked', workerId);
}
