import { isDeepStrictEqual } from 'node:util';
import { type Queue, QueueError } from '@app/queue';
import { ManualClock, MemoryQueue } from '@app/queue/testing';
import type { TestQueue } from '../support/redis.js';
import { Forgetting } from './forgetting.js';

/** The Redis adapter and the oracle side by side, on one clock, asked the same questions. */
export class Pair {
  readonly forgetting: Forgetting;
  readonly ideal: MemoryQueue;
  #client = 0;

  /** @param clients views of the same data, as of several processes */
  constructor(
    readonly store: TestQueue,
    private readonly clients: readonly Queue[],
    readonly clock: ManualClock,
  ) {
    this.ideal = new MemoryQueue({ clock, random: () => 0.5 });
    this.forgetting = new Forgetting(store.redis, clock);
  }

  get real(): Queue {
    return this.clients[this.#client]!;
  }

  switchClient(): void {
    this.#client = (this.#client + 1) % this.clients.length;
  }

  /**
   * What Redis and the oracle answer, which must be the same; nothing where both refuse the whole question.
   *
   * @param shown the part of an answer to compare, where the other part may differ
   */
  async ask<T>(
    question: string,
    ask: (queue: Queue) => Promise<T>,
    shown: (answer: T) => unknown = (answer) => answer,
  ): Promise<[real: T, ideal: T] | []> {
    const { real, ideal } = this;
    const [given, expected] = await Promise.all([attempt(ask, real), attempt(ask, ideal)]);
    const show = (answer: Answer<T>) =>
      comparable('value' in answer ? { value: shown(answer.value) } : answer);
    const answers = [show(given), show(expected)] as const;
    // The matcher explains well and is slow.
    if (!isDeepStrictEqual(...answers)) {
      expect({ question, answer: answers[0] }).toEqual({ question, answer: answers[1] });
    }
    return 'value' in given && 'value' in expected ? [given.value, expected.value] : [];
  }
}

type Answer<T> = { value: T } | { thrown: QueueError };

async function attempt<T>(ask: (queue: Queue) => Promise<T>, queue: Queue): Promise<Answer<T>> {
  try {
    return { value: await ask(queue) };
  } catch (error) {
    if (error instanceof QueueError) return { thrown: error };
    throw error;
  }
}

/** Without fields that are there but undefined. Errors by code and task: their sentences, and facts they may add, are each backend's own. */
function comparable(value: unknown): unknown {
  if (value instanceof QueueError) return { error: value.code, taskId: value.data.taskId };
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, comparable(field)]));
}
