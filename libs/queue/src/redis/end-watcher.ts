import { isTerminal, type QueueName, type TaskState } from '../core/task.js';
import type { StreamEntry } from './stream-entry.js';
import type { Audience, FollowedStream, StreamSource } from './stream-reader.js';

/** Tells those who wait when their tasks end, from the streams of their queues. */
export class EndWatcher {
  private readonly queues = new Map<QueueName, Waiters>();

  constructor(private readonly streams: StreamSource) {}

  /**
   * Calls `onEnd` when the task reaches a terminal state after this has resolved. Read the task's state then, so
   * that nothing falls between. May call more than once and, after trouble, without need.
   */
  async watch(queue: QueueName, key: string, onEnd: () => void): Promise<() => void> {
    const waiters = this.queues.get(queue) ?? new Waiters();
    this.queues.set(queue, waiters);
    waiters.add(key, onEnd);
    const stop = () => {
      waiters.delete(key, onEnd);
      if (!waiters.isEmpty) return;
      this.queues.delete(queue);
      this.streams.leave(queue, waiters);
    };
    try {
      await this.streams.join(queue, waiters);
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }
}

/** Who waits for which task of a queue. */
class Waiters implements Audience {
  private readonly byKey = new Map<string, Set<() => void>>();

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

  hear(_stream: FollowedStream, entries: readonly StreamEntry[]): void {
    for (const { lines } of entries) {
      for (const { key, event } of lines) {
        if (isTerminal(event.kind as TaskState)) for (const onEnd of this.byKey.get(key) ?? []) onEnd();
      }
    }
  }

  /** Lets everybody look at their tasks for themselves. */
  missed(): void {
    for (const waiting of this.byKey.values()) for (const onEnd of waiting) onEnd();
  }

  lost(): void {
    this.missed();
  }
}
