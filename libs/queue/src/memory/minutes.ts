import { LIMITS } from '../core/limits.js';
import {
  MINUTE_EVENTS,
  type MinuteCounts,
  type MinuteEvent,
  type WaitCounts,
} from '../core/ports/inspector.js';
import { Waits } from './waits.js';

const MINUTE_MS = 60_000;

/** What happened in each of the latest minutes. */
export class Minutes {
  readonly #buckets = new Map<number, Bucket>();

  count(event: MinuteEvent, now: number): void {
    this.#bucket(now).counts[event] += 1;
  }

  /** A task started that had been pending for so long. */
  countStart(waitMs: number, now: number): void {
    this.count('started', now);
    this.#bucket(now).waits.count(waitMs);
  }

  /** Newest first, this minute included; only those in which something happened. */
  latest(now: number): MinuteCounts[] {
    return this.#shown(now).map(({ counts }) => ({ ...counts }));
  }

  /** Waiting times of the tasks started in those minutes. */
  waits(now: number): WaitCounts {
    const sum = new Waits();
    for (const { waits } of this.#shown(now)) sum.add(waits);
    return sum.counts;
  }

  /** Tasks started in the minute of `now`, or so many minutes before it. */
  started(now: number, minutesAgo: number): number {
    return this.#buckets.get(startOfMinute(now) - minutesAgo * MINUTE_MS)?.counts.started ?? 0;
  }

  #bucket(now: number): Bucket {
    const at = startOfMinute(now);
    let bucket = this.#buckets.get(at);
    if (!bucket) this.#buckets.set(at, (bucket = { counts: noEvents(at), waits: new Waits() }));
    return bucket;
  }

  #shown(now: number): Bucket[] {
    const newest = startOfMinute(now);
    const oldest = newest - (LIMITS.minutesShown - 1) * MINUTE_MS;
    return [...this.#buckets.values()]
      .filter(({ counts: { at } }) => at >= oldest && at <= newest)
      .sort((a, b) => b.counts.at - a.counts.at);
  }
}

interface Bucket {
  counts: MinuteCounts;
  waits: Waits;
}

function startOfMinute(now: number): number {
  return Math.floor(now / MINUTE_MS) * MINUTE_MS;
}

function noEvents(at: number): MinuteCounts {
  return {
    at,
    ...(Object.fromEntries(MINUTE_EVENTS.map((event) => [event, 0])) as Record<MinuteEvent, number>),
  };
}
