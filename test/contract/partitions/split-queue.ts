import { crc32 } from 'node:zlib';
import {
  type EnqueueOutcome,
  type Lease,
  type LeasedTask,
  type LeaseRequest,
  type NewTask,
  partitionQueue,
  type Queue,
  QueueError,
  type QueueName,
  type QueueOverview,
  type Task,
} from '@app/queue';
import { checkInvariants, ManualClock, MemoryQueue, newTask, uniqueQueue } from '@app/queue/testing';
import { openTestQueue } from '../../support/redis.js';

export const PARTITIONS = 4;
export const LEASE_MS = 10_000;
export const NAMES = Array.from({ length: 40 }, (_, i) => `n${i}`);

/** What the documentation promises: where a tenant, an ordering key or a key belongs. */
export const partitionOf = (text: string, count = PARTITIONS) => crc32(text) % count;

/** A name for each of the partitions. */
export const NAME_IN = Array.from({ length: PARTITIONS }, (_, i) =>
  NAMES.find((name) => partitionOf(name) === i)!,
);

/** Cases that hold on every backend that a split queue may be on. */
export function describeSplitQueue(noun: string, define: (split: SplitQueue) => void): void {
  describe.each<[string, () => Promise<Backend>]>([
    ['MemoryQueue', onMemory],
    ['RedisQueue', onRedis],
  ])('a split queue on %s', (_name, setup) => {
    const split = new SplitQueue();
    beforeEach(async () => split.begin(await setup()));
    afterEach(() => split.end());
    describe(noun, () => define(split));
  });
}

/** A queue of four partitions: what callers see of it, and what the backend does. New for each test. */
export class SplitQueue {
  name: QueueName = '';
  #backend?: Backend;
  #queue?: Queue;

  async begin(backend: Backend): Promise<void> {
    this.#backend = backend;
    this.#queue = partitionQueue(backend.inner);
    this.name = uniqueQueue();
    await this.queue.configure(this.name, { partitions: PARTITIONS });
  }

  async end(): Promise<void> {
    try {
      await checkInvariants(this.queue, this.name);
    } finally {
      await this.#backend?.cleanup();
    }
  }

  get queue(): Queue {
    return this.#queue!;
  }

  /** What partitions are queues of their own to. */
  get inner(): Queue {
    return this.#backend!.inner;
  }

  get clock(): ManualClock {
    return this.#backend!.clock;
  }

  /** Another process's view of the same data. */
  async another(): Promise<Queue> {
    return partitionQueue(await this.#backend!.another());
  }

  physical(index: number): QueueName {
    return index === 0 ? this.name : `${this.name}~${index}`;
  }

  everyPartition(count = PARTITIONS): QueueName[] {
    return Array.from({ length: count }, (_, index) => this.physical(index));
  }

  idOf(index: number, key: string): string {
    return `${this.physical(index)}~${key}`;
  }

  enqueue(tasks: readonly Partial<NewTask>[], options?: { atomic?: boolean }): Promise<EnqueueOutcome[]> {
    return this.queue.enqueue(
      tasks.map((task) => newTask({ queue: this.name, ...task })),
      options,
    );
  }

  /** Submits tasks that must all be accepted. */
  async add(...tasks: Partial<NewTask>[]): Promise<Task[]> {
    return (await this.enqueue(tasks)).map(accepted);
  }

  lease(max: number, request: Partial<LeaseRequest> = {}): Promise<Lease> {
    return this.queue.lease({ queue: this.name, workerId: 'worker-1', leaseMs: LEASE_MS, max, ...request });
  }

  async take(max: number, request: Partial<LeaseRequest> = {}): Promise<LeasedTask[]> {
    return (await this.lease(max, request)).tasks;
  }

  async overview(): Promise<QueueOverview> {
    return (await this.queue.overview([this.name]))[0]!;
  }
}

/** The number that an id names. */
export function partitionIn(id: string): number {
  const parts = id.split('~');
  return parts.length === 3 ? Number(parts[1]) : 0;
}

export function complete({ id, leaseToken }: LeasedTask) {
  return { id, leaseToken, action: 'complete' } as const;
}

export function accepted(outcome: EnqueueOutcome): Task {
  if (outcome.status !== 'accepted') throw new Error(`expected accepted, got ${JSON.stringify(outcome)}`);
  return outcome.task;
}

/** The same, but one operation on one queue fails. */
export function failing(inner: Queue, operation: keyof Queue, name: QueueName): Queue {
  return new Proxy(inner, {
    get: (queue, each: keyof Queue) =>
      each === operation
        ? async (first: QueueName, ...rest: unknown[]) => {
            if (first === name) throw new QueueError('store-unavailable');
            return (queue[each] as (...args: unknown[]) => unknown).call(queue, first, ...rest);
          }
        : queue[each].bind(queue),
  });
}

interface Backend {
  inner: Queue;
  another(): Promise<Queue>;
  clock: ManualClock;
  cleanup(): Promise<void>;
}

async function onMemory(): Promise<Backend> {
  const clock = new ManualClock();
  const inner = new MemoryQueue({ clock, random: () => 0.5 });
  await inner.open();
  return { inner, another: async () => inner, clock, cleanup: () => inner.close() };
}

async function onRedis(): Promise<Backend> {
  const clock = new ManualClock();
  const { queue, another, cleanup } = await openTestQueue({ clock, random: () => 0.5 });
  return { inner: queue, another, clock, cleanup };
}
