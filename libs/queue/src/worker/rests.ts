import type { QueueName } from '../core/task.js';

/** Vain answers in a row that have no consequence: two workers after the same task are nothing unusual. */
const VAIN_FREE = 3;
const REST_MS_MIN = 10;
const REST_MS_MAX = 50;
/** Vain answers further apart than this are not in a row. Longer than a rest, which must not end the row itself. */
const ROW_MS = 2 * REST_MS_MAX;

/**
 * Queues that gave nothing several times in a row rest for a moment: what rings without anything to take behind it (others
 * were faster, a limit is reached, entries are passed over) must not become a busy loop. Each on its own, so that the other
 * queues are heard meanwhile.
 */
export class Rests {
  readonly #rows = new Map<QueueName, { count: number; atMs: number }>();
  readonly #resting = new Map<QueueName, NodeJS.Timeout>();
  #stopped = false;

  /** @param onOver is called when a queue's rest is over */
  constructor(private readonly onOver: (queue: QueueName) => void) {}

  has(queue: QueueName): boolean {
    return this.#resting.has(queue);
  }

  /** The queue gave something. A rest that has begun goes on, and is short. */
  gave(queue: QueueName): void {
    this.#rows.delete(queue);
  }

  /** The queue gave nothing. @returns for how long it should not be asked again, in ms; mostly 0 */
  vain(queue: QueueName): number {
    const now = performance.now();
    const row = this.#rows.get(queue);
    const count = row && now - row.atMs < ROW_MS ? row.count + 1 : 1;
    this.#rows.set(queue, { count, atMs: now });
    if (count <= VAIN_FREE || this.#stopped) return 0;
    const restMs = Math.min(REST_MS_MIN * 2 ** (count - VAIN_FREE - 1), REST_MS_MAX);
    clearTimeout(this.#resting.get(queue));
    this.#resting.set(
      queue,
      setTimeout(() => {
        this.#resting.delete(queue);
        this.onOver(queue);
      }, restMs),
    );
    return restMs;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
  }
}
