import { LIMITS } from '../core/limits.js';
import { MINUTE_EVENTS, type MinuteCounts, type MinuteEvent } from '../core/ports.js';

const MINUTE_MS = 60_000;

/** What happened in each of the latest minutes. */
export class Minutes {
  readonly #buckets = new Map<number, MinuteCounts>();

  count(event: MinuteEvent, now: number): void {
    const at = startOfMinute(now);
    let bucket = this.#buckets.get(at);
    if (!bucket) this.#buckets.set(at, (bucket = emptyBucket(at)));
    bucket[event] += 1;
  }

  /** Newest first, this minute included; only those in which something happened. */
  latest(now: number): MinuteCounts[] {
    const newest = startOfMinute(now);
    const oldest = newest - (LIMITS.minutesShown - 1) * MINUTE_MS;
    return [...this.#buckets.values()]
      .filter(({ at }) => at >= oldest && at <= newest)
      .sort((a, b) => b.at - a.at)
      .map((bucket) => ({ ...bucket }));
  }
}

function startOfMinute(now: number): number {
  return Math.floor(now / MINUTE_MS) * MINUTE_MS;
}

function emptyBucket(at: number): MinuteCounts {
  return {
    at,
    ...(Object.fromEntries(MINUTE_EVENTS.map((event) => [event, 0])) as Record<MinuteEvent, number>),
  };
}
