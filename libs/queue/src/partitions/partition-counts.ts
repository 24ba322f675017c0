import type { Inspector } from '../core/ports/inspector.js';
import type { QueueName } from '../core/task.js';

/** How long a number is believed. It changes once in a queue's life, while nothing waits or runs in it. */
const KNOWN_MS = 1_000;
/** Names come from requests: what is remembered about them must be bounded. */
const QUEUES_MAX = 10_000;

interface Known {
  count?: number;
  readAtMs: number;
  reading?: Promise<number>;
}

/** How many partitions each queue has. */
export class PartitionCounts {
  readonly #queues = new Map<QueueName, Known>();

  constructor(private readonly inspector: Pick<Inspector, 'settings'>) {}

  /**
   * As read at most `knownMs` ago. While the store is away: as last known.
   *
   * @throws QueueError where it was never known
   */
  async of(queue: QueueName, knownMs = KNOWN_MS): Promise<number> {
    const known = this.#queues.get(queue);
    if (known?.count !== undefined && performance.now() - known.readAtMs < knownMs) return known.count;
    return known?.reading ?? this.#read(queue);
  }

  /** As it is now, for those who change something about all partitions. */
  async now(queue: QueueName): Promise<number> {
    const { partitions = 1 } = await this.inspector.settings(queue);
    this.set(queue, partitions);
    return partitions;
  }

  set(queue: QueueName, count: number): void {
    if (this.#queues.size >= QUEUES_MAX) this.#queues.clear();
    this.#queues.set(queue, { count, readAtMs: performance.now() });
  }

  #read(queue: QueueName): Promise<number> {
    const count = this.#queues.get(queue)?.count;
    const reading = this.now(queue).catch((error: unknown) => {
      this.#queues.delete(queue);
      if (count === undefined) throw error;
      this.set(queue, count);
      return count;
    });
    this.#queues.set(queue, { count, readAtMs: -Infinity, reading });
    return reading;
  }
}
