import { isTerminal, type QueueName, type Task, type TaskId } from '../core/task.js';
import type { Cancelled } from './cancelled.js';
import type { Entry, EventStream, EventStreams, StreamListener } from './event-stream.js';
import { addressOf } from './job-ids.js';
import { findTask } from './jobs.js';
import type { Store } from './store.js';

const ENDING: ReadonlySet<string> = new Set(['completed', 'failed', 'removed']);

/** Waits for the ends of tasks, all of a queue by one connection. */
export class EndWatcher implements StreamListener {
  #closed = false;
  readonly #waiting = new Map<QueueName, Map<string, Set<() => void>>>();

  constructor(
    private readonly store: Store,
    private readonly cancelled: Cancelled,
    private readonly streams: EventStreams,
  ) {}

  async wait(id: TaskId, timeoutMs: number, signal?: AbortSignal): Promise<Task | undefined> {
    const { queue, jobId } = addressOf(id);
    const first = await findTask(this.store, this.cancelled, id);
    if (!first || isTerminal(first.state)) return first;
    const until = performance.now() + timeoutMs;
    let task: Task = first;
    let woken = false;
    let wake: () => void = () => undefined;
    const onEnd = () => {
      woken = true;
      wake();
    };
    this.#add(queue, jobId, onEnd);
    try {
      await this.streams.join(queue, this);
      for (;;) {
        // Read after joining, so that no end is missed in between.
        const found = await findTask(this.store, this.cancelled, id);
        // Its job is gone: removed, or it ended and was not to be kept.
        if (!found) return undefined;
        task = found;
        const leftMs = until - performance.now();
        if (isTerminal(task.state) || leftMs <= 0 || signal?.aborted || this.#closed) return task;
        if (!woken) {
          await new Promise<void>((resolve) => {
            wake = () => {
              clearTimeout(timer);
              signal?.removeEventListener('abort', wake);
              resolve();
            };
            const timer = setTimeout(wake, leftMs);
            signal?.addEventListener('abort', wake, { once: true });
          });
        }
        woken = false;
      }
    } finally {
      this.#remove(queue, jobId, onEnd);
    }
  }

  onEntries({ queue }: EventStream, entries: readonly Entry[]): void {
    const jobs = this.#waiting.get(queue);
    for (const { event, jobId = '' } of entries) {
      if (ENDING.has(event)) jobs?.get(jobId)?.forEach((onEnd) => onEnd());
    }
  }

  close(): void {
    this.#closed = true;
    for (const jobs of this.#waiting.values()) {
      for (const waiters of jobs.values()) waiters.forEach((onEnd) => onEnd());
    }
  }

  #add(queue: QueueName, jobId: string, onEnd: () => void): void {
    const jobs = this.#waiting.get(queue) ?? new Map<string, Set<() => void>>();
    this.#waiting.set(queue, jobs);
    jobs.set(jobId, (jobs.get(jobId) ?? new Set()).add(onEnd));
  }

  #remove(queue: QueueName, jobId: string, onEnd: () => void): void {
    const jobs = this.#waiting.get(queue);
    const waiters = jobs?.get(jobId);
    waiters?.delete(onEnd);
    if (waiters?.size === 0) jobs?.delete(jobId);
    if (jobs?.size !== 0) return;
    this.#waiting.delete(queue);
    this.streams.leave(queue, this);
  }
}
