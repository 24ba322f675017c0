import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkNewTask } from '../core/new-task.js';
import type { EnqueueOutcome, NewTask, Producer } from '../core/ports/producer.js';
import type { QueueName } from '../core/task.js';
import type { Router } from './router.js';

export class RoutedProducer implements Producer {
  constructor(private readonly router: Router) {}

  async enqueue(tasks: readonly NewTask[], options?: { atomic?: boolean }): Promise<EnqueueOutcome[]> {
    const { main, of } = this.router;
    if (tasks.length > LIMITS.batchTasksMax) return main.enqueue(tasks, options);
    // All of them, before one backend has stored some.
    tasks.forEach(checkNewTask);
    const placed = await Promise.all(
      tasks.map(async (task) => ({ ...task, queue: task.queue ?? (await this.queueOf(task.type)) })),
    );
    if (options?.atomic && new Set(placed.map(({ queue }) => of(queue))).size > 1) {
      throw new QueueError('batch-spans-queues');
    }
    return this.router.each(
      placed,
      ({ queue }) => of(queue),
      (backend, group) => backend.enqueue(group, options),
    );
  }

  /** Types are announced to one backend, whichever their queues are on. */
  queueOf(type: string): Promise<QueueName> {
    return this.router.main.queueOf(type);
  }
}
