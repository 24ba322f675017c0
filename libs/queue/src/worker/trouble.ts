import { retryDelayMs } from '../core/retry.js';
import type { RetryPolicy } from '../core/task.js';
import type { Log, Meter } from './meter.js';

/**
 * Remembers which loops are failing, so that an outage is one line when it begins and one when it ends instead of
 * one for every try. Every failure is counted.
 */
export class Trouble {
  readonly #failures = new Map<string, number>();

  constructor(
    private readonly log: Log,
    private readonly meter: Meter,
    private readonly random: () => number = Math.random,
  ) {}

  /** @returns how long to wait before the next try, in ms: 50 ms growing to 5 s, with jitter */
  failed(loop: string, error: unknown): number {
    const failures = (this.#failures.get(loop) ?? 0) + 1;
    this.#failures.set(loop, failures);
    this.meter.loopFailed(loop);
    if (failures === 1) this.log.warn({ loop, err: error }, 'cannot go on for now; will keep trying');
    return backoffMs(failures, this.random());
  }

  /** Does a turn of a loop. Answers how long to rest: `restMs`, or after a failure the wait before the next try. Never fails. */
  async turn(loop: string, turn: () => Promise<void>, restMs = 0): Promise<number> {
    try {
      await turn();
      this.worked(loop);
      return restMs;
    } catch (error) {
      return this.failed(loop, error);
    }
  }

  worked(loop: string): void {
    const failures = this.#failures.get(loop);
    if (failures === undefined) return;
    this.#failures.delete(loop);
    this.log.info({ loop, failures }, 'works again');
  }
}

const BACKOFF: RetryPolicy = {
  maxAttempts: 1,
  backoff: 'exponential',
  delayMs: 50,
  maxDelayMs: 5_000,
  jitter: 'equal',
};

/** The wait before try number `failures` + 1 of something that should work sooner or later. */
export function backoffMs(failures: number, random: number): number {
  return retryDelayMs(BACKOFF, failures, random);
}
