import type { QueueName } from '../core/task.js';
import type { Attempt } from './attempt.js';

/** Holds attempts back while as many of their type are running as their handler allows. */
export class Gate {
  readonly #lanes = new Map<string, { running: number; waiting: Map<Attempt, (mayRun: boolean) => void> }>();
  readonly #waitingByQueue = new Map<QueueName, number>();

  /** @param onOpen is called with a queue when none of its attempts is held back any more */
  constructor(private readonly onOpen: (queue: QueueName) => void) {}

  /** True at once or when its turn has come, then `leave` must follow; false if it was stopped before. */
  enter(attempt: Attempt, limit: number | undefined): boolean | Promise<boolean> {
    if (attempt.stopReason) return false;
    const lane = this.#lane(attempt.task.type);
    if (limit === undefined || lane.running < limit) {
      lane.running++;
      return true;
    }
    const { queue } = attempt.task;
    this.#countWaiting(queue, 1);
    return new Promise<boolean>((resolve) => {
      const end = (mayRun: boolean): void => {
        if (!lane.waiting.delete(attempt)) return;
        attempt.signal.removeEventListener('abort', stopped);
        this.#countWaiting(queue, -1);
        resolve(mayRun);
      };
      const stopped = (): void => end(false);
      attempt.signal.addEventListener('abort', stopped);
      lane.waiting.set(attempt, end);
    });
  }

  /** Gives the place of a finished attempt to the one that has waited longest. */
  leave(type: string): void {
    const lane = this.#lane(type);
    const next = lane.waiting.values().next();
    if (next.done) lane.running--;
    else next.value(true);
    if (lane.running === 0 && lane.waiting.size === 0) this.#lanes.delete(type);
  }

  /** Whether an attempt of this queue is held back, so that more tasks of it could not start either. */
  holds(queue: QueueName): boolean {
    return this.#waitingByQueue.has(queue);
  }

  #lane(type: string) {
    let lane = this.#lanes.get(type);
    if (!lane) this.#lanes.set(type, (lane = { running: 0, waiting: new Map() }));
    return lane;
  }

  #countWaiting(queue: QueueName, change: 1 | -1): void {
    const count = (this.#waitingByQueue.get(queue) ?? 0) + change;
    if (count > 0) return void this.#waitingByQueue.set(queue, count);
    this.#waitingByQueue.delete(queue);
    this.onOpen(queue);
  }
}
