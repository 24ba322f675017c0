import { isTerminal, type QueueName, type TaskState } from '../core/task.js';
import type { StreamEntry } from './stream-entry.js';
import type { Audience, FollowedStream, StreamSource } from './stream-reader.js';

/** The next one is usually near, and then it counts that ends were heard in between. */
const LINGER_MS = 1_000;
/** Of the ends heard last so many are remembered for each queue: those of the time between a submission and its answer. */
const REMEMBERED_MAX = 500;

/** One who waits for the end of a task. */
export interface Watch {
  /** Unless what this process has heard since then (by `performance.now()`) says that the task has not ended. */
  mayHaveEndedSince(momentMs: number): boolean;
  stop(): void;
}

/** Tells those who wait when their tasks end, from the streams of their queues. */
export class EndWatcher {
  private readonly queues = new Map<QueueName, Waiters>();

  constructor(private readonly streams: StreamSource) {}

  /**
   * Calls `onEnd` when the task reaches a terminal state after this has resolved. Read the task's state then, so
   * that nothing falls between. May call more than once and, after trouble, without need.
   */
  async watch(queue: QueueName, key: string, onEnd: () => void): Promise<Watch> {
    const waiters = this.queues.get(queue) ?? new Waiters();
    this.queues.set(queue, waiters);
    waiters.add(key, onEnd);
    clearTimeout(waiters.leaving);
    const leave = () => {
      this.queues.delete(queue);
      this.streams.leave(queue, waiters);
    };
    const stop = () => {
      waiters.delete(key, onEnd);
      if (waiters.isEmpty) waiters.leaving = setTimeout(leave, LINGER_MS).unref();
    };
    try {
      await this.streams.join(queue, waiters);
    } catch (error) {
      stop();
      throw error;
    }
    waiters.joined();
    return { mayHaveEndedSince: (momentMs) => waiters.mayHaveEndedSince(key, momentMs), stop };
  }
}

/** Who waits for which task of a queue. */
class Waiters implements Audience {
  private readonly byKey = new Map<string, Set<() => void>>();
  /** When ends were heard, by key: all of them since `completeSinceMs`, which is never while nothing is heard yet. */
  private readonly heard = new Map<string, number>();
  private completeSinceMs = Infinity;
  /** Ends it where nobody waits any more. */
  leaving: NodeJS.Timeout | undefined;

  get isEmpty(): boolean {
    return this.byKey.size === 0;
  }

  add(key: string, onEnd: () => void): void {
    this.byKey.set(key, (this.byKey.get(key) ?? new Set()).add(onEnd));
  }

  delete(key: string, onEnd: () => void): void {
    const waiting = this.byKey.get(key);
    waiting?.delete(onEnd);
    if (waiting?.size === 0) this.byKey.delete(key);
  }

  joined(): void {
    this.completeSinceMs = Math.min(this.completeSinceMs, performance.now());
  }

  mayHaveEndedSince(key: string, momentMs: number): boolean {
    return momentMs < this.completeSinceMs || this.heard.has(key);
  }

  hear(_stream: FollowedStream, entries: readonly StreamEntry[]): void {
    const now = performance.now();
    for (const { lines } of entries) {
      for (const { key, event } of lines) {
        if (!isTerminal(event.kind as TaskState)) continue;
        this.remember(key, now);
        for (const onEnd of this.byKey.get(key) ?? []) onEnd();
      }
    }
  }

  private remember(key: string, now: number): void {
    // Anew, so that those heard first come first.
    this.heard.delete(key);
    this.heard.set(key, now);
    if (this.heard.size <= REMEMBERED_MAX) return;
    const [[oldest, atMs]] = this.heard as Iterable<[string, number]> as [[string, number]];
    this.heard.delete(oldest);
    this.completeSinceMs = atMs;
  }

  /** Lets everybody look at their tasks for themselves. */
  missed(): void {
    this.completeSinceMs = performance.now();
    for (const waiting of this.byKey.values()) for (const onEnd of waiting) onEnd();
  }

  lost(): void {
    this.missed();
  }
}
