import type { Clock } from '../core/clock.js';

/** A clock that moves only when told to. Starts at the beginning of a minute. */
export class ManualClock implements Clock {
  #now: number;

  constructor(startMs = Date.UTC(2026, 0, 5, 12)) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  /** Backwards with a negative number, as a corrected system clock does. */
  advance(ms: number): void {
    this.#now += ms;
  }
}
