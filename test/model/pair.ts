import { isDeepStrictEqual } from 'node:util';
import { type Queue, QueueError, type QueueName } from '@app/queue';
import { ManualClock, MemoryQueue } from '@app/queue/testing';
import type { TestQueue } from '../support/redis.js';
import { Forgetting } from './forgetting.js';

/** The Redis adapter and the oracle side by side, on one clock, asked the same questions. */
export class Pair {
  readonly forgetting: Forgetting;
  readonly ideal: MemoryQueue;
  #client = 0;
  #losesReply = false;

  /** @param clients views of the same data, as of several processes */
  constructor(
    readonly store: TestQueue,
    private readonly clients: readonly Queue[],
    readonly clock: ManualClock,
    readonly queues: readonly [QueueName, QueueName],
  ) {
    this.ideal = new MemoryQueue({ clock, random: () => 0.5 });
    this.forgetting = new Forgetting(store.redis, store.keyPrefix, clock);
  }

  get real(): Queue {
    return this.clients[this.#client]!;
  }

  switchClient(): void {
    this.#client = (this.#client + 1) % this.clients.length;
  }

  /** The reply to the next change gets lost, so that it is asked for twice. */
  loseReply(): void {
    this.#losesReply = true;
  }

  /** `ask` for something that changes the queues. */
  async change<T>(
    question: string,
    ask: (queue: Queue) => Promise<T>,
    shown?: (answer: T) => unknown,
  ): Promise<[real: T, ideal: T] | []> {
    if (this.#losesReply) {
      this.#losesReply = false;
      await Promise.all([attempt(ask, this.real), attempt(ask, this.ideal)]);
    }
    const answers = await this.ask(question, ask, shown);
    await Promise.all(this.queues.map((queue) => this.forgetting.keepIdleTenants(queue)));
    return answers;
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
    // Nobody is refused so: something is broken.
    if (!(error instanceof QueueError) || error.kind === 'internal' || error.kind === 'unavailable')
      throw error;
    return { thrown: error };
  }
}

/** Without fields that are there but undefined. Errors by code and facts: their sentences are each backend's own. */
function comparable(value: unknown): unknown {
  if (value instanceof QueueError) {
    const { taskId, retryAfterMs } = value.data;
    return comparable({ error: value.code, taskId, retryAfterMs });
  }
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, comparable(field)]));
}
