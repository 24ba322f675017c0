import type { QueueName } from '../core/task.js';

/** The queues believed to have work, each taking its turn. */
export class Rotation {
  readonly #queues = new Set<QueueName>();

  add(queue: QueueName): void {
    this.#queues.add(queue);
  }

  delete(queue: QueueName): void {
    this.#queues.delete(queue);
  }

  /** The queue whose turn it is, which then goes to the end; `undefined` if all are to be skipped. */
  next(skip: (queue: QueueName) => boolean): QueueName | undefined {
    for (const queue of this.#queues) {
      if (skip(queue)) continue;
      this.#queues.delete(queue);
      this.#queues.add(queue);
      return queue;
    }
    return undefined;
  }

  has(queue: QueueName): boolean {
    return this.#queues.has(queue);
  }
}
