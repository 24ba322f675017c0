import type { QueueName } from '../core/task.js';

/**
 * The wake tokens: at most one per queue. Ringing leaves a token, or hands it to the worker that has waited
 * longest; whoever takes it must lease, and a lease that leaves work behind rings again.
 */
export class Bells {
  readonly #tokens = new Set<QueueName>();
  readonly #waiting = new Set<Waiting>();

  /** However often one operation rings, it leaves one token: it is handed over after the operation. */
  ring(queue: QueueName): void {
    this.#tokens.add(queue);
    queueMicrotask(() => this.#handOver(queue));
  }

  wait(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<QueueName | undefined> {
    if (signal?.aborted) return Promise.resolve(undefined);
    const rung = queues.find((queue) => this.#tokens.delete(queue));
    if (rung !== undefined) return Promise.resolve(rung);
    return new Promise((resolve) => {
      const waiting: Waiting = {
        queues,
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

  #handOver(queue: QueueName): void {
    for (const waiting of this.#waiting) {
      if (!waiting.queues.includes(queue)) continue;
      if (this.#tokens.delete(queue)) waiting.answer(queue);
      return;
    }
  }
}

interface Waiting {
  queues: readonly QueueName[];
  answer(queue: QueueName | undefined): void;
}
