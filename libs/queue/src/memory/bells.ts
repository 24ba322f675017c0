import type { QueueName } from '../core/task.js';

/**
 * The wake tokens: at most one per queue, and one per tenant for workers that do not serve everybody. Ringing leaves
 * a token, or hands it to the worker that has waited longest; whoever takes it must lease, and a lease that leaves
 * work behind rings again.
 */
export class Bells {
  readonly #tokens = new Set<string>();
  readonly #waiting = new Set<Waiting>();

  /** However often one operation rings, it leaves one token: it is handed over after the operation. */
  ring(queue: QueueName, tenant?: string): void {
    const token = tokenOf(queue, tenant);
    this.#tokens.add(token);
    queueMicrotask(() => this.#handOver(token));
  }

  /** For work of anyone, or of these tenants. */
  wait(
    queues: readonly QueueName[],
    tenants: readonly string[] | undefined,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<QueueName | undefined> {
    if (signal?.aborted) return Promise.resolve(undefined);
    const tokens = new Map<string, QueueName>();
    for (const queue of queues) {
      for (const tenant of tenants ?? [undefined]) tokens.set(tokenOf(queue, tenant), queue);
    }
    const rung = [...tokens.keys()].find((token) => this.#tokens.delete(token));
    if (rung !== undefined) return Promise.resolve(tokens.get(rung));
    return new Promise((resolve) => {
      const waiting: Waiting = {
        tokens,
        answer: (queue) => {
          this.#waiting.delete(waiting);
          clearTimeout(timer);
          signal?.removeEventListener('abort', giveUp);
          resolve(queue);
        },
      };
      const giveUp = () => waiting.answer(undefined);
      const timer = setTimeout(giveUp, timeoutMs);
      signal?.addEventListener('abort', giveUp);
      this.#waiting.add(waiting);
    });
  }

  /** Ends all waits. */
  close(): void {
    for (const waiting of this.#waiting) waiting.answer(undefined);
  }

  #handOver(token: string): void {
    for (const waiting of this.#waiting) {
      const queue = waiting.tokens.get(token);
      if (queue === undefined) continue;
      if (this.#tokens.delete(token)) waiting.answer(queue);
      return;
    }
  }
}

interface Waiting {
  /** What it waits for, and the queue that each stands for. */
  tokens: ReadonlyMap<string, QueueName>;
  answer(queue: QueueName | undefined): void;
}

/** Names have no spaces. */
function tokenOf(queue: QueueName, tenant?: string): string {
  return tenant === undefined ? queue : `${queue} ${tenant}`;
}
