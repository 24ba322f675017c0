import { LIMITS } from '../core/limits.js';
import type { WaitCounts } from '../core/ports/inspector.js';

/** How often tasks waited how long. */
export class Waits {
  readonly #counts = Array.from({ length: LIMITS.waitBoundsMs.length + 1 }, () => 0);

  count(waitMs: number): void {
    const found = LIMITS.waitBoundsMs.findIndex((bound) => waitMs <= bound);
    this.#add(found < 0 ? LIMITS.waitBoundsMs.length : found, 1);
  }

  add(other: Waits): void {
    other.#counts.forEach((count, index) => this.#add(index, count));
  }

  get counts(): WaitCounts {
    return [...this.#counts];
  }

  #add(index: number, count: number): void {
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }
}
