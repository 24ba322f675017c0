import { QueueError } from '../core/errors.js';
import { splitTaskId } from '../core/names.js';
import type { Queue } from '../core/ports/queue.js';
import type { QueueName, TaskId } from '../core/task.js';

export interface NamedBackend {
  name: string;
  backend: Queue;
}

/** Queues that are on another backend than the rest. */
export interface Route extends NamedBackend {
  serves: (queue: QueueName) => boolean;
}

/** Knows which backend a queue is on. */
export class Router {
  constructor(
    /** Of all queues that no route serves, and of what belongs to no queue: types, workers, who does the chores. */
    private readonly first: NamedBackend,
    /** The first that serves a queue has it. */
    private readonly routes: readonly Route[],
  ) {}

  get main(): Queue {
    return this.first.backend;
  }

  get backends(): Queue[] {
    return this.named.map(({ backend }) => backend);
  }

  private get named(): NamedBackend[] {
    return [this.first, ...this.routes];
  }

  readonly of = (queue: QueueName): Queue =>
    this.routes.find(({ serves }) => serves(queue))?.backend ?? this.main;

  /** @throws QueueError `invalid-task-id` */
  readonly ofTask = (id: TaskId): Queue => {
    const { queue } = splitTaskId(id);
    // What follows is the number of a partition.
    return this.of(queue.split('~', 1)[0]!);
  };

  /** Asks all backends, whatever becomes of some. @throws QueueError that says which ones failed */
  async all<Answer>(ask: (backend: Queue) => Promise<Answer>): Promise<Answer[]> {
    const results = await Promise.allSettled(this.backends.map(ask));
    const failed = results.findIndex(({ status }) => status === 'rejected');
    if (failed < 0) return results.map((result) => (result as PromiseFulfilledResult<Answer>).value);
    const { reason } = results[failed] as PromiseRejectedResult;
    if (!(reason instanceof QueueError)) throw reason;
    const backends = this.named.flatMap(({ name }, i) => (results[i]!.status === 'rejected' ? [name] : []));
    const message = `${backends.join(', ')}: ${reason.message}`;
    throw new QueueError(reason.code, { ...reason.data, message, backends });
  }

  /** Asks each backend about those of the items that are its own; the answers to all, in order. */
  async each<Item, Answer>(
    items: readonly Item[],
    backendOf: (item: Item) => Queue,
    ask: (backend: Queue, items: readonly Item[]) => Promise<readonly Answer[]>,
  ): Promise<Answer[]> {
    const groups = new Map<Queue, number[]>();
    for (const [index, item] of items.entries()) {
      const backend = backendOf(item);
      const group = groups.get(backend);
      if (group) group.push(index);
      else groups.set(backend, [index]);
    }
    const answers: Answer[] = Array.from({ length: items.length });
    await allOf(
      [...groups].map(async ([backend, indexes]) => {
        const part = await ask(
          backend,
          indexes.map((index) => items[index]!),
        );
        indexes.forEach((index, i) => (answers[index] = part[i]!));
      }),
    );
    return answers;
  }
}

/** Waits for all, whatever becomes of some: nothing is under way any more when this fails. */
export async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
