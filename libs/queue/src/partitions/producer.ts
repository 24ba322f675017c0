import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName, checkQueueName } from '../core/names.js';
import { checkNewTask } from '../core/new-task.js';
import type { EnqueueOutcome, NewTask, Producer } from '../core/ports/producer.js';
import type { QueueName } from '../core/task.js';
import type { PartitionCounts } from './partition-counts.js';
import { bindingOf, identityOf, partitionName, partitionOf } from './partition.js';
import { ofQueue } from './views.js';

export class PartitionedProducer implements Producer {
  /** Where the next task goes that may go anywhere. */
  private turn = 0;

  constructor(
    private readonly inner: Producer,
    private readonly counts: PartitionCounts,
  ) {}

  async enqueue(tasks: readonly NewTask[], options?: { atomic?: boolean }): Promise<EnqueueOutcome[]> {
    if (tasks.length > LIMITS.batchTasksMax) return this.inner.enqueue(tasks, options);
    const counts = new Map<QueueName, number>();
    const queues: QueueName[] = [];
    for (const { type, queue: given } of tasks) {
      if (given === undefined) checkName('type', type, '/type');
      else checkQueueName(given, '/queue');
      const queue = given ?? (await this.inner.queueOf(type));
      if (!counts.has(queue)) counts.set(queue, await this.counts.of(queue));
      queues.push(queue);
    }
    if ([...counts.values()].every((count) => count === 1)) return this.inner.enqueue(tasks, options);

    tasks.forEach(checkNewTask);
    const partitions = options?.atomic
      ? this.placeTogether(tasks, queues, counts)
      : tasks.map((task, i) => this.place(bindingOf(task) ?? identityOf(task), queues[i]!, counts));
    const placed = tasks.map((task, i) => ({ ...task, queue: partitions[i]! }));
    return (await this.inner.enqueue(placed, options)).map(ofQueue);
  }

  private place(
    text: string | undefined,
    queue: QueueName,
    counts: ReadonlyMap<QueueName, number>,
  ): QueueName {
    const count = counts.get(queue)!;
    if (text !== undefined) return partitionName(queue, partitionOf(text, count));
    this.turn = (this.turn + 1) % LIMITS.partitionsMax;
    return partitionName(queue, this.turn % count);
  }

  /** What is bound to no partition goes with the others; where nothing is, all go where the first would. */
  private placeTogether(
    tasks: readonly NewTask[],
    queues: readonly QueueName[],
    counts: ReadonlyMap<QueueName, number>,
  ): QueueName[] {
    const [queue] = queues;
    if (queues.some((each) => each !== queue)) throw new QueueError('batch-spans-queues');
    const bindings = tasks.map(bindingOf).filter((binding) => binding !== undefined);
    const partitions = new Set(bindings.map((binding) => this.place(binding, queue!, counts)));
    if (partitions.size > 1) {
      throw new QueueError('batch-spans-queues', {
        message:
          'An atomic batch goes to one partition, and its tenants and ordering keys are in several. Send one batch per tenant, or give up atomicity.',
      });
    }
    const [partition = this.place(identityOf(tasks[0]!), queue!, counts)] = partitions;
    return tasks.map(() => partition);
  }

  queueOf(type: string): Promise<QueueName> {
    return this.inner.queueOf(type);
  }
}
