import type { Consumer, ExtendOutcome } from '../core/ports/consumer.js';
import type { Attempt } from './attempt.js';
import { Loop } from './loop.js';
import type { Trouble } from './trouble.js';

/** Leases extended by one call; a call should stay well under a millisecond of Redis. */
const EXTENSIONS_MAX = 300;

export interface HeartbeatOptions {
  consumer: Pick<Consumer, 'extend'>;
  leaseMs: number;
  /** All attempts whose leases are to be kept. */
  attempts: () => Iterable<Attempt>;
  /** Called for an attempt whose lease is gone. */
  onLost: (attempt: Attempt) => void;
  /** Called, once per heartbeat, for an attempt whose task somebody cancelled. */
  onCancelled: (attempt: Attempt) => void;
  trouble: Trouble;
}

/** Keeps all leases of the process by one timer, delivers progress and log lines, and learns who should stop. */
export class Heartbeat {
  readonly intervalMs: number;
  /** When the latest beat began, by `performance.now()`. */
  beatAtMs = performance.now();

  readonly #loop = new Loop(() => this.#turn());

  constructor(private readonly options: HeartbeatOptions) {
    // Three tries fit into a lease; and a cancellation reaches its handler within two seconds.
    this.intervalMs = Math.min(options.leaseMs / 3, 2_000);
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #turn(): Promise<number> {
    this.beatAtMs = performance.now();
    try {
      await this.beat();
    } catch (error) {
      // beat() handles what the store does; this keeps the loop alive whatever a callback does.
      this.options.trouble.failed('heartbeat', error);
    }
    return this.intervalMs;
  }

  /** Extends every lease once. Never fails: what cannot be delivered waits for the next beat. */
  async beat(): Promise<void> {
    const attempts = [...this.options.attempts()];
    const calls: Promise<void>[] = [];
    for (let at = 0; at < attempts.length; at += EXTENSIONS_MAX) {
      calls.push(this.#extend(attempts.slice(at, at + EXTENSIONS_MAX)));
    }
    await Promise.all(calls);
  }

  async #extend(attempts: readonly Attempt[]): Promise<void> {
    const { consumer, leaseMs, trouble } = this.options;
    const news = attempts.map((attempt) => attempt.takeNews());
    let outcomes: ExtendOutcome[];
    try {
      outcomes = await consumer.extend(
        attempts.map(({ task }, index) => ({ id: task.id, leaseToken: task.leaseToken, ...news[index] })),
        leaseMs,
      );
      trouble.worked('heartbeat');
    } catch (error) {
      // If the call did take effect, its log lines will appear twice: better than not at all.
      attempts.forEach((attempt, index) => attempt.giveBack(news[index]!));
      trouble.failed('heartbeat', error);
      return;
    }
    attempts.forEach((attempt, index) => {
      const outcome = outcomes[index];
      if (outcome?.status === 'refused') this.options.onLost(attempt);
      else if (outcome?.cancelRequested) this.options.onCancelled(attempt);
    });
  }
}
