import type { QueueName } from '../core/task.js';
import type { Entry, EventStream, EventStreams, StreamListener } from './event-stream.js';
import type { Left } from './lease.js';

/** Queues nobody has waited for so long are not listened to any more. */
const IDLE_MS = 60_000;
/** The longest wait of Node's timers. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Events that free a place where the number of running jobs is bounded. */
const FREEING: ReadonlySet<string> = new Set(['completed', 'failed', 'delayed']);

interface Waiter {
  queues: ReadonlySet<QueueName>;
  answer(queue: QueueName | undefined): void;
}

interface Bell {
  joined: Promise<void>;
  /** May have work, and nobody has been told yet. */
  rung: boolean;
  /** Jobs wait that may not be taken while as many run as may. */
  full: boolean;
  lastWaitAt: number;
  due?: { at: number; timer: NodeJS.Timeout };
}

/**
 * Wakes one of those who wait when a queue may have work: BullMQ's events say so, and clocks where jobs fall due. What was
 * there before it was listened to is looked for.
 */
export class WorkBells implements StreamListener {
  readonly #bells = new Map<QueueName, Bell>();
  readonly #waiters = new Set<Waiter>();
  readonly #sweep: NodeJS.Timeout;
  #closed = false;

  constructor(
    private readonly streams: EventStreams,
    private readonly whatIsLeft: (queue: QueueName) => Promise<Left>,
  ) {
    this.#sweep = setInterval(() => this.#leaveIdle(), IDLE_MS).unref();
  }

  async wait(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<QueueName | undefined> {
    const bells = queues.map((queue) => this.#bell(queue));
    await Promise.all(bells.map(({ joined }) => joined)).catch((error: unknown) => {
      if (!this.#closed) throw error;
    });
    const ready = queues.find((queue) => this.#bells.get(queue)?.rung);
    if (ready !== undefined) {
      this.#bells.get(ready)!.rung = false;
      return ready;
    }
    if (signal?.aborted || this.#closed) return undefined;
    return new Promise((resolve) => {
      const waiter: Waiter = {
        queues: new Set(queues),
        answer: (queue) => {
          this.#waiters.delete(waiter);
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          resolve(queue);
        },
      };
      const onAbort = () => waiter.answer(undefined);
      const timer = setTimeout(onAbort, Math.min(timeoutMs, TIMER_MS_MAX));
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** What somebody has left behind, or found. */
  tell(queue: QueueName, { more, full = false, nextDueInMs }: Left): void {
    const bell = this.#bells.get(queue);
    if (bell) bell.full = full;
    if (more) this.#ring(queue);
    if (nextDueInMs !== undefined) this.#ringAt(queue, Date.now() + nextDueInMs);
  }

  #ring(queue: QueueName): void {
    const bell = this.#bells.get(queue);
    if (!bell) return;
    for (const waiter of this.#waiters) {
      if (!waiter.queues.has(queue)) continue;
      bell.rung = false;
      return waiter.answer(queue);
    }
    bell.rung = true;
  }

  /** Something falls due then. Only the nearest is remembered: whoever takes it hears of the next. */
  #ringAt(queue: QueueName, at: number): void {
    const bell = this.#bells.get(queue);
    if (!bell || (bell.due && bell.due.at <= at && bell.due.at > Date.now())) return;
    clearTimeout(bell.due?.timer);
    const timer = setTimeout(
      () => {
        bell.due = undefined;
        this.#ring(queue);
      },
      Math.min(Math.max(0, at - Date.now()), TIMER_MS_MAX),
    ).unref();
    bell.due = { at, timer };
  }

  onEntries({ queue }: EventStream, entries: readonly Entry[]): void {
    const full = this.#bells.get(queue)?.full === true;
    let rings = 0;
    for (const { event, delay } of entries) {
      if (event === 'delayed' && delay !== undefined) this.#ringAt(queue, Number(delay));
      if (event === 'waiting' || (full && FREEING.has(event))) rings += 1;
      if (event === 'resumed') this.#look(queue).catch(() => undefined);
    }
    // One for each job, as far as there are any who wait; and the last for who comes next.
    for (let i = 0; i < Math.min(rings, this.#waiters.size + 1); i += 1) this.#ring(queue);
  }

  onAway({ queue }: EventStream): void {
    this.#look(queue).catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const waiter of this.#waiters) waiter.answer(undefined);
    for (const queue of this.#bells.keys()) this.#leave(queue);
  }

  #bell(queue: QueueName): Bell {
    const known = this.#bells.get(queue);
    if (known) {
      known.lastWaitAt = performance.now();
      return known;
    }
    const join = async () => {
      await this.streams.join(queue, this);
      await this.#look(queue);
    };
    const bell: Bell = { joined: join(), rung: false, full: false, lastWaitAt: performance.now() };
    this.#bells.set(queue, bell);
    bell.joined.catch(() => this.#bells.delete(queue));
    return bell;
  }

  async #look(queue: QueueName): Promise<void> {
    this.tell(queue, await this.whatIsLeft(queue));
  }

  #leaveIdle(): void {
    const awaited = new Set([...this.#waiters].flatMap(({ queues }) => [...queues]));
    for (const [queue, { lastWaitAt }] of this.#bells) {
      if (!awaited.has(queue) && performance.now() - lastWaitAt > IDLE_MS) this.#leave(queue);
    }
  }

  #leave(queue: QueueName): void {
    clearTimeout(this.#bells.get(queue)?.due?.timer);
    this.#bells.delete(queue);
    this.streams.leave(queue, this);
  }
}
