import type { TaskId } from '../core/task.js';

/** Who waits for which task to end. */
export class Endings {
  readonly #waiting = new Map<TaskId, Set<() => void>>();

  announce(id: TaskId): void {
    for (const stop of [...(this.#waiting.get(id) ?? [])]) stop();
  }

  /** Resolves at the task's next end, after `timeoutMs`, on abort or on close. */
  wait(id: TaskId, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const stop = () => {
        waiting.delete(stop);
        if (waiting.size === 0) this.#waiting.delete(id);
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const timer = setTimeout(stop, timeoutMs);
      signal?.addEventListener('abort', stop);
      waiting.add(stop);
    });
  }

  /** Ends all waits. */
  close(): void {
    for (const id of [...this.#waiting.keys()]) this.announce(id);
  }
}
