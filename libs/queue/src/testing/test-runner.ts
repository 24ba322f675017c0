import type { Clock } from '../core/clock.js';
import { QueueError } from '../core/errors.js';
import type { NewTask } from '../core/ports/producer.js';
import type { Task, TaskState } from '../core/task.js';
import { MemoryQueue } from '../memory/memory-queue.js';
import { HandlerTable } from '../worker/handler-table.js';
import type { HandlerContext, HandlerDefinition } from '../worker/handler.js';
import { type AttemptOutcome, NO_METER } from '../worker/meter.js';
import { Runner, type RunnerOptions } from '../worker/runner.js';

const runners: Runner[] = [];

afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.releaseNow()));
});

/** A runner over a queue of its own, with steps for a test. It ends with the test. */
export function setUpRunner(handlers: HandlerDefinition[], options: Partial<RunnerOptions> = {}) {
  const clock = new MovableClock();
  const queue = new FaultyQueue({ clock });
  const ends: AttemptOutcome[] = [];
  const another = (workerId: string, of: HandlerDefinition[], more: Partial<RunnerOptions> = {}): Runner => {
    const table = new HandlerTable(of);
    const added = new Runner({ queue, handlers: table, queues: table.queues(), workerId, ...more });
    runners.push(added);
    return added;
  };
  const meter = {
    ...NO_METER,
    attemptEnded: (_queue: string, _type: string, outcome: AttemptOutcome) => void ends.push(outcome),
  };
  const runner = another('w1', handlers, { meter, ...options });
  const submit = async (...tasks: NewTask[]): Promise<string[]> =>
    (await queue.enqueue(tasks)).map((outcome) => {
      if (outcome.status === 'refused') throw outcome.error;
      return outcome.task.id;
    });
  const end = async (id: string): Promise<Task> => (await queue.waitForEnd(id, 10_000))!;
  const state = async (id: string): Promise<TaskState> => (await queue.get([id]))[0]!.state;
  return { queue, clock, runner, another, submit, end, state, ends };
}

/** Something a test waits for, and a handler brings about. */
export function event<T = void>() {
  let happen!: (value: T) => void;
  const happened = new Promise<T>((resolve) => (happen = resolve));
  return { happen, happened };
}

export const untilAborted = ({ signal }: HandlerContext) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

/** Real time, that a test can move forward. */
class MovableClock implements Clock {
  aheadMs = 0;
  now() {
    return Date.now() + this.aheadMs;
  }
}

/** A MemoryQueue whose next calls of a kind can be made to fail before or after they take effect. */
class FaultyQueue extends MemoryQueue {
  readonly faults = {
    lease: [] as Fault[],
    settle: [] as Fault[],
    extend: [] as Fault[],
    waitForWork: [] as Fault[],
  };
  readonly calls: { name: string; args: readonly unknown[] }[] = [];

  override lease(...args: Parameters<MemoryQueue['lease']>) {
    return this.#call('lease', args, () => super.lease(...args));
  }
  override settle(...args: Parameters<MemoryQueue['settle']>) {
    return this.#call('settle', args, () => super.settle(...args));
  }
  override extend(...args: Parameters<MemoryQueue['extend']>) {
    return this.#call('extend', args, () => super.extend(...args));
  }
  override waitForWork(...args: Parameters<MemoryQueue['waitForWork']>) {
    return this.#call('waitForWork', args, () => super.waitForWork(...args));
  }

  #nested = false;

  async #call<T>(
    name: keyof FaultyQueue['faults'],
    args: readonly unknown[],
    act: () => Promise<T>,
  ): Promise<T> {
    // MemoryQueue settles and leases in one call by calling itself.
    if (this.#nested) return act();
    this.calls.push({ name, args });
    const fault = this.faults[name].shift();
    if (fault === 'before') throw new QueueError('store-unavailable');
    this.#nested = true;
    const acting = act();
    this.#nested = false;
    const result = await acting;
    if (fault === 'after') throw new QueueError('store-unavailable');
    return result;
  }
}
type Fault = 'before' | 'after';
