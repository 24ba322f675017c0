import { sleep } from '../worker/waiting.js';

/** Spreads calls over time: no more than `callsPerSecond` in the long run, with short bursts. */
export class Pacer {
  #nextAtMs = 0;

  constructor(
    public callsPerSecond: number,
    private readonly burstMs = 100,
  ) {}

  /** Resolves when it is the caller's turn, or at once on abort. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#nextAtMs = Math.max(this.#nextAtMs, now - this.burstMs) + 1_000 / this.callsPerSecond;
    const waitMs = this.#nextAtMs - now;
    if (waitMs > 0) await sleep(waitMs, signal);
  }
}
