import { LIMITS } from '../core/limits.js';
import type { Consumer, LeasedTask, SettleOutcome, Settlement } from '../core/ports/consumer.js';
import { completeRetry } from '../core/retry.js';
import type { QueueName, TaskError } from '../core/task.js';
import { Attempt } from './attempt.js';
import type { SlowDown, StopReason } from './errors.js';
import { execute, type AttemptEnd } from './execute.js';
import { Gate } from './gate.js';
import type { HandlerDefinition } from './handler.js';
import type { HandlerTable } from './handler-table.js';
import { Heartbeat } from './heartbeat.js';
import { Leaser } from './leaser.js';
import { NO_LOG, NO_METER, type AttemptOutcome, type Log, type Meter } from './meter.js';
import { Settler } from './settler.js';
import { Trouble } from './trouble.js';
import { Bell, waitUntil } from './waiting.js';

export interface RunnerOptions {
  queue: Consumer;
  handlers: HandlerTable;
  /** What to serve; a function is asked again before every wait, see `Runner.queuesChanged`. */
  queues: readonly QueueName[] | (() => readonly QueueName[]);
  /** Whose tasks come before all others, see `LeaseRequest.tenants`. Default: nobody's. */
  tenants?: readonly string[];
  /** Whose tasks to take when `tenants` have nothing to start, see `LeaseRequest.steal`. Default: everybody's. */
  steal?: boolean | readonly string[];
  /** Slots: attempts at once in this process. Default 10. */
  concurrency?: number;
  /** How long until a lease is lost when this process falls silent. Default `LIMITS.leaseMsDefault`. */
  leaseMs?: number;
  /** Who holds the leases, see `NAME_PATTERNS.workerId`. */
  workerId: string;
  /** How long an attempt may run where neither task nor handler says. Default 5 minutes. */
  timeoutMs?: number;
  /** How long a handler may take to stop after a cancellation or a lost lease, before it is left behind. Default 5 s. */
  stopGraceMs?: number;
  /** The same after a shutdown's time is over. Default 1 s. */
  shutdownGraceMs?: number;
  /** After this long without news every queue is tried, since a wake token can die with its finder. Default 5 s. */
  fallbackMs?: number;
  meter?: Meter;
  log?: Log;
  /** In [0, 1); for jitter. Default `Math.random`. */
  random?: () => number;
}

/** How long a shutdown waits for the last settlements to be answered. */
const LAST_SETTLEMENTS_MS = 5_000;

/**
 * Executes the tasks of some queues in this process, `concurrency` at a time: the leaser brings them, each becomes an
 * attempt, the heartbeat keeps its lease, and the settler takes results back. Those of one event-loop turn travel together
 * and bring the next tasks.
 *
 * Nothing hangs on one reply, timer or token: every step that fails is repeated, and what is missed is found by the
 * next beat, sweep or fallback. A handler that blocks the event loop blocks all of it, heartbeats included; such work
 * belongs into a thread or process of its own.
 */
export class Runner {
  readonly #options: Required<RunnerOptions>;
  readonly #attempts = new Set<Attempt>();
  readonly #gate: Gate;
  readonly #leaser: Leaser;
  readonly #settler: Settler;
  readonly #heartbeat: Heartbeat;
  /** Rings when slots, leases under way or the rotation have changed. */
  readonly #changed = new Bell();
  readonly #hurry = new AbortController();
  #started = false;
  #quiet = false;
  #draining = false;
  #crashed = false;
  #drained?: Promise<void>;

  /** @throws Error when neither `tenants` nor `steal` leaves anybody to serve */
  constructor(options: RunnerOptions) {
    const log = options.log ?? NO_LOG;
    const meter = options.meter ?? NO_METER;
    const random = options.random ?? Math.random;
    this.#options = {
      tenants: [],
      steal: true,
      concurrency: 10,
      leaseMs: LIMITS.leaseMsDefault,
      timeoutMs: 300_000,
      stopGraceMs: 5_000,
      shutdownGraceMs: 1_000,
      fallbackMs: 5_000,
      ...options,
      meter,
      log,
      random,
    };
    const { queue, workerId, tenants, steal, concurrency, leaseMs, fallbackMs } = this.#options;
    const trouble = new Trouble(log, meter, random);
    this.#gate = new Gate((name) => this.#leaser.tryNow([name]));
    this.#leaser = new Leaser({
      consumer: queue,
      queues: () => (this.#quiet ? [] : this.#queues()),
      workerId,
      leaseMs,
      tenants,
      steal,
      fallbackMs,
      concurrency,
      slots: () => (this.#quiet ? 0 : concurrency - this.#attempts.size - this.#settler.stuck),
      held: (name) => this.#gate.holds(name),
      fusing: () => this.#settler.flushing,
      onTasks: (tasks, more) => this.#begin(tasks, more),
      changed: this.#changed,
      trouble,
      random,
    });
    this.#settler = new Settler({
      consumer: queue,
      leaseMs,
      batch: this.#leaser.tasksPerLease,
      nextLeases: (settling) => this.#leaser.nextLeases(settling),
      onLease: (request, lease) => this.#leaser.accept(request, lease),
      onSettled: (attempt, outcome) => this.#settled(attempt, outcome),
      log,
      trouble,
    });
    this.#heartbeat = new Heartbeat({
      consumer: queue,
      leaseMs,
      attempts: () => new Set([...this.#attempts, ...this.#settler.unsettled]),
      onLost: (attempt) => this.#stop(attempt, 'lease-lost'),
      onCancelled: (attempt) => this.#stop(attempt, 'cancelled'),
      trouble,
    });
  }

  /** Begins to lease. Does nothing the second time. */
  start(): void {
    if (this.#started || this.#draining) return;
    this.#started = true;
    this.#meterSlots();
    this.#heartbeat.start();
    this.#leaser.start();
  }

  /** Slots in use, and whether the runner does what it should: its loops are not overdue. */
  get status(): { busy: number; total: number; unsettled: number; draining: boolean; stale: boolean } {
    const heartbeatLate = performance.now() - this.#heartbeat.beatAtMs > this.#heartbeat.intervalMs + 5_000;
    return {
      busy: this.#attempts.size,
      total: this.#options.concurrency,
      unsettled: this.#settler.unsettled.size,
      draining: this.#draining,
      stale: this.#started && !this.#draining && (heartbeatLate || this.#leaser.stale),
    };
  }

  /** Says that `RunnerOptions.queues` would now give other names; tries the given ones at once. */
  queuesChanged(added: readonly QueueName[]): void {
    this.#leaser.tryNow(added);
  }

  /** Whether it takes no new tasks for now; what runs goes on. A lease under way can still bring some. */
  get quiet(): boolean {
    return this.#quiet;
  }

  set quiet(quiet: boolean) {
    this.#quiet = quiet;
    // Ends the wait for tokens, which are for those who can use them, or begins with a look everywhere.
    this.#leaser.tryNow(this.#started && !quiet ? this.#queues() : []);
  }

  /**
   * Takes no more tasks and resolves when none is left: what runs may finish for up to `timeoutMs`, then its signal is
   * aborted, and what has not stopped a grace later is released; a released attempt is not counted. Leases are kept
   * all the while.
   *
   * `crashed`: the process is ending because of an error nobody caught. Then nothing is released: one of what is left
   * may be the cause, so their leases run out and they count as crashes. Otherwise such a task would end worker after
   * worker for ever.
   */
  drain(timeoutMs: number, { crashed = false }: { crashed?: boolean } = {}): Promise<void> {
    this.#crashed ||= crashed;
    this.#drained ??= this.#drain(timeoutMs);
    return this.#drained;
  }

  /** Releases what is still running at once, without waiting for its handlers. Resolves when all is settled. */
  releaseNow(): Promise<void> {
    this.#hurry.abort();
    return this.drain(0);
  }

  async #drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#leaser.stop();
    this.#changed.ring();
    // Those held back have not begun and need no time.
    for (const attempt of this.#attempts) if (!attempt.begun) attempt.stop('shutdown', 0);

    const idle = (): boolean => this.#attempts.size === 0 && this.#leaser.idle;
    const { signal } = this.#hurry;
    await waitUntil(idle, this.#changed, timeoutMs, signal);
    const graceMs = signal.aborted ? 0 : this.#options.shutdownGraceMs;
    for (const attempt of this.#attempts) attempt.stop('shutdown', graceMs);
    if (graceMs > 0) {
      await waitUntil(idle, this.#changed, graceMs, signal);
      for (const attempt of this.#attempts) attempt.stop('shutdown', 0);
    }
    // What remains can only be replies of a store that is away, and their settlements.
    await waitUntil(idle, this.#changed, LAST_SETTLEMENTS_MS);
    await this.#settler.close(LAST_SETTLEMENTS_MS);
    await Promise.all([this.#leaser.close(), this.#heartbeat.stop()]);
  }

  #queues(): readonly QueueName[] {
    const { queues } = this.#options;
    return typeof queues === 'function' ? queues() : queues;
  }

  #begin(tasks: readonly LeasedTask[], more: boolean): void {
    const attempts = tasks.map((task) => new Attempt(task));
    for (const attempt of attempts) this.#attempts.add(attempt);
    this.#meterSlots();
    const begin = () => {
      for (const attempt of attempts) this.#attempt(attempt);
    };
    // First the leaser sends for more, so that the store has something to do meanwhile.
    if (more) queueMicrotask(begin);
    else begin();
  }

  #attempt(attempt: Attempt): void {
    if (this.#draining) attempt.stop('shutdown', 0);
    const handler = this.#options.handlers.get(attempt.task.type);
    const entered = this.#gate.enter(attempt, handler?.concurrency);
    if (typeof entered === 'boolean') this.#execute(attempt, handler, entered);
    else void entered.then((mayRun) => this.#execute(attempt, handler, mayRun));
  }

  #execute(attempt: Attempt, handler: HandlerDefinition | undefined, mayRun: boolean): void {
    attempt.begun = mayRun;
    attempt.startedAtMs = performance.now();
    execute(attempt, handler, this.#options.timeoutMs, (end) => {
      if (mayRun) this.#gate.leave(attempt.task.type);
      this.#ended(attempt, handler, end);
    });
  }

  #ended(attempt: Attempt, handler: HandlerDefinition | undefined, end: AttemptEnd): void {
    this.#attempts.delete(attempt);
    this.#meterSlots();
    const given = end.outcome === 'released' && !end.slowDown;
    if (end.outcome === 'lease-lost' || (given && this.#crashed && attempt.begun)) {
      this.#meterEnd(attempt, 'lease-lost');
      this.#leaser.fill();
    } else {
      if (end.outcome === 'failed' || end.outcome === 'timeout') this.#logFailure(attempt, end);
      if (end.outcome === 'released' && end.slowDown) this.#logSlowDown(attempt, end.slowDown);
      attempt.outcome = end.outcome;
      const { progress, logs } = attempt.takeNews();
      attempt.giveBack({ progress });
      const defaultRetry = handler?.retry && completeRetry(handler.retry);
      this.#settler.add(attempt, settlementOf(attempt, end, logs, defaultRetry));
    }
    this.#changed.ring();
  }

  #logFailure(
    { task: { id, queue, type, attempt } }: Attempt,
    end: { error: TaskError; thrown?: unknown },
  ): void {
    const { code, message } = end.error;
    this.#options.log.warn(
      { taskId: id, queue, type, attempt, code, err: end.thrown ?? message },
      'the attempt failed',
    );
  }

  #logSlowDown(
    { task: { id, queue, type } }: Attempt,
    { retryAfterMs, thrown }: { retryAfterMs: number; thrown: SlowDown },
  ): void {
    this.#options.log.warn(
      { taskId: id, queue, type, retryAfterMs, reason: thrown.message },
      'the handler slows its queue down; nothing of it starts for a while',
    );
  }

  #settled(attempt: Attempt, outcome: SettleOutcome | undefined): void {
    // What was stuck frees its slot, and a lost lease brings no request along.
    this.#leaser.fill();
    this.#changed.ring();
    const { id, attempt: number, queue, type } = attempt.task;
    if (outcome?.status === 'settled') {
      // The engine has the last word: a failed attempt of a task somebody cancelled ends as cancelled.
      const known = attempt.outcome ?? 'failed';
      this.#meterEnd(attempt, known === 'failed' && outcome.state === 'cancelled' ? 'cancelled' : known);
      return;
    }
    this.#options.log.warn(
      { taskId: id, queue, type, attempt: number, err: outcome?.error },
      outcome
        ? 'the lease was lost before the attempt was settled; its outcome is void'
        : 'the outcome of an attempt could not be delivered; the task will be given to another worker',
    );
    this.#meterEnd(attempt, 'lease-lost');
  }

  #stop(attempt: Attempt, reason: StopReason): void {
    // What is being settled was refused here because it has just been settled, or will be told so.
    if (!this.#attempts.has(attempt) || attempt.stopReason === reason) return;
    const { id, queue, type, attempt: number } = attempt.task;
    if (reason === 'lease-lost') {
      this.#options.log.warn(
        { taskId: id, queue, type, attempt: number },
        'the lease was lost; stopping the attempt',
      );
    }
    attempt.stop(reason, this.#options.stopGraceMs);
  }

  #meterSlots(): void {
    this.#options.meter.slots(this.#attempts.size, this.#options.concurrency);
  }

  #meterEnd({ task, startedAtMs }: Attempt, outcome: AttemptOutcome): void {
    this.#options.meter.attemptEnded(task.queue, task.type, outcome, performance.now() - startedAtMs);
  }
}

function settlementOf(
  { task: { id, leaseToken } }: Attempt,
  end: Exclude<AttemptEnd, { outcome: 'lease-lost' }>,
  logs: readonly string[] | undefined,
  defaultRetry: ReturnType<typeof completeRetry> | undefined,
): Settlement {
  if (end.outcome === 'completed') return { id, leaseToken, action: 'complete', result: end.result, logs };
  if (end.outcome === 'released') {
    return { id, leaseToken, action: 'release', retryAfterMs: end.slowDown?.retryAfterMs, logs };
  }
  const { error, retryable, retryInMs } = end;
  return { id, leaseToken, action: 'fail', error, retryable, retryInMs, defaultRetry, logs };
}
