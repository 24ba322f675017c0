import type { ChoreResult } from '../core/ports/maintainer.js';
import type { QueueName } from '../core/task.js';
import { DueTimers } from '../worker/due-timers.js';
import { Loop } from '../worker/loop.js';
import type { Meter } from '../worker/meter.js';
import type { Trouble } from '../worker/trouble.js';
import { Pacer } from './pacer.js';

export interface ChoreOptions {
  /** As in metrics and logs. */
  name: string;
  /** One bounded slice of the work for one queue. */
  slice: (queue: QueueName) => Promise<ChoreResult>;
  /** Time between the beginnings of two sweeps over all queues, give or take a tenth. */
  intervalMs: number;
  /** A sweep may exceed the pace so as not to take longer than this, in ms. Default: it takes what it takes. */
  sweepMsMax?: number;
}

/** What the chores of a process share. */
export interface ChoreSurroundings {
  /** Whether this process is to do chores now. */
  elected: () => boolean;
  /** The names of all queues, in pages. */
  queues: () => AsyncIterable<readonly QueueName[]>;
  /** How many there were when they were last listed. */
  queueCount: () => number;
  callsPerSecondMax: number;
  meter: Meter;
  trouble: Trouble;
  random: () => number;
}

/** Slices done for one queue before the others get their turn; what is left continues soon after. */
const SLICES_MAX = 20;
/**
 * No queue is visited for what is due more often than this. Its workers see to themselves, and a queue that has something
 * due all the time must not use up the calls of all others.
 */
const DUE_GAP_MS = 100;
/** How soon a process begins once it is elected. Costs the store nothing. */
const ELECTED_LOOK_MS = 200;

/**
 * The loop that every chore runs in: while elected, it sweeps all queues every interval, and visits a queue in
 * between when the last slice said that something will be due before the next sweep.
 */
export class Chore {
  readonly #loop = new Loop(() => this.#turn());
  readonly #due: DueTimers;
  readonly #pacer: Pacer;
  readonly #visiting = new Set<QueueName>();

  constructor(
    private readonly options: ChoreOptions,
    private readonly surroundings: ChoreSurroundings,
  ) {
    this.#due = new DueTimers((queue) => this.#visitWhenDue(queue), DUE_GAP_MS);
    this.#pacer = new Pacer(surroundings.callsPerSecondMax);
  }

  start(): void {
    this.#loop.start();
  }

  /** Resolves when the slice under way has ended. */
  async stop(): Promise<void> {
    this.#due.stop();
    await this.#loop.stop();
  }

  async #turn(): Promise<number> {
    const { name, intervalMs } = this.options;
    const { elected, trouble, random } = this.surroundings;
    if (!elected()) return ELECTED_LOOK_MS;
    const startedAtMs = performance.now();
    const waitMs = await trouble.turn(name, () => this.#sweep());
    const restMs = intervalMs * (0.9 + 0.2 * random()) - (performance.now() - startedAtMs);
    return Math.max(waitMs, restMs);
  }

  async #sweep(): Promise<void> {
    const { queueCount, callsPerSecondMax } = this.surroundings;
    const neededPerSecond = (queueCount() * 1_000) / (this.options.sweepMsMax ?? Infinity);
    this.#pacer.callsPerSecond = Math.max(callsPerSecondMax, neededPerSecond);
    for await (const page of this.surroundings.queues()) {
      for (const queue of page) {
        if (this.#loop.signal.aborted || !this.surroundings.elected()) return;
        await this.#visit(queue);
      }
    }
  }

  async #visitWhenDue(queue: QueueName): Promise<void> {
    if (!this.surroundings.elected()) return;
    try {
      await this.#visit(queue);
    } catch (error) {
      // The next sweep comes by anyway.
      this.surroundings.trouble.failed(this.options.name, error);
    }
  }

  async #visit(queue: QueueName): Promise<void> {
    if (this.#visiting.has(queue)) return;
    this.#visiting.add(queue);
    try {
      let more = true;
      for (let slices = 0; more && slices < SLICES_MAX && !this.#loop.signal.aborted; slices++) {
        await this.#pacer.turn(this.#loop.signal);
        const result = await this.#slice(queue);
        more = result.more;
        if (!more) this.#armBeforeSweep(queue, result.nextInMs);
      }
      if (more) this.#due.arm(queue, 0);
    } finally {
      this.#visiting.delete(queue);
    }
  }

  /** What is due later than the next sweep can wait for that. */
  #armBeforeSweep(queue: QueueName, nextInMs: number | undefined): void {
    if (nextInMs === undefined || nextInMs >= this.options.intervalMs) return;
    // A millisecond late rather than early: before the time there would be nothing to do, and the next visit is far off.
    this.#due.arm(queue, nextInMs + 1);
  }

  async #slice(queue: QueueName): Promise<ChoreResult> {
    const { name, slice } = this.options;
    const { meter } = this.surroundings;
    const startedAtMs = performance.now();
    try {
      const result = await slice(queue);
      meter.choreRan(name, 'ok', result.count, performance.now() - startedAtMs);
      return result;
    } catch (error) {
      meter.choreRan(name, 'error', 0, performance.now() - startedAtMs);
      throw error;
    }
  }
}
