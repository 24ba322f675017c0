import type { QueueName } from '../core/task.js';

/**
 * One timer per queue for when it next has something due. A timer only saves waiting: what it misses, the next
 * sweep finds.
 */
export class DueTimers {
  readonly #timers = new Map<QueueName, { atMs: number; timer: NodeJS.Timeout }>();
  #stopped = false;

  /**
   * @param act is called at the due time and must not reject; it arms again what comes next
   * @param gapMs no queue is acted on more often than this
   * @param horizonMs what is due later than this is acted on by then all the same, and found not to be due yet
   */
  constructor(
    private readonly act: (queue: QueueName) => Promise<void>,
    private readonly gapMs: number,
    private readonly horizonMs = 60_000,
  ) {}

  /** Moves the queue's timer forward; one that is set for earlier stays. */
  arm(queue: QueueName, inMs: number | undefined): void {
    if (inMs === undefined || this.#stopped) return;
    // Node's timers fire up to a millisecond early: one in seven acts was in vain, and came again a whole gap later.
    const waitMs = Math.min(Math.max(Math.ceil(inMs) + 1, this.gapMs), this.horizonMs);
    const atMs = performance.now() + waitMs;
    const armed = this.#timers.get(queue);
    if (armed) {
      if (armed.atMs <= atMs) return;
      clearTimeout(armed.timer);
    }
    const timer = setTimeout(() => {
      this.#timers.delete(queue);
      void this.act(queue);
    }, waitMs);
    this.#timers.set(queue, { atMs, timer });
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
