import { randomUUID } from 'node:crypto';
import { LIMITS } from '../core/limits.js';
import type { Consumer, Lease, LeaseRequest, Maintainer, SettleOutcome, Settlement } from '../core/ports.js';
import { completeRetry } from '../core/retry.js';
import type { QueueName, TaskError } from '../core/task.js';
import { Attempt } from './attempt.js';
import { DueTimers } from './due-timers.js';
import type { StopReason } from './errors.js';
import { execute, type AttemptEnd } from './execute.js';
import { Gate } from './gate.js';
import type { HandlerTable } from './handler-table.js';
import { Heartbeat } from './heartbeat.js';
import { NO_LOG, NO_METER, type AttemptOutcome, type Log, type Meter } from './meter.js';
import { Rotation } from './rotation.js';
import { Settler } from './settler.js';
import { Trouble } from './trouble.js';
import { Bell, sleep, waitUntil } from './waiting.js';

export interface RunnerOptions {
  queue: Consumer & Pick<Maintainer, 'promote'>;
  handlers: HandlerTable;
  /** What to serve; a function is asked again before every wait, see `Runner.queuesChanged`. */
  queues: readonly QueueName[] | (() => readonly QueueName[]);
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

/** Tasks taken by one lease. */
const LEASE_TASKS_MAX = 200;
/** Queues tried when a wait found nothing. With more queues than this the next wait goes on with the others. */
const FALLBACK_QUEUES_MAX = 10;
/** How long a wait is put off because a lease may still change what is to be waited for. */
const LEASE_PATIENCE_MS = 50;
/** How long a wait may be late before it is taken to be dead. */
const WAIT_OVERTIME_MS = 2_000;
/** How long a shutdown waits for the last settlements to be answered. */
const LAST_SETTLEMENTS_MS = 5_000;

/**
 * Executes the tasks of some queues in this process, `concurrency` at a time.
 *
 * Queues believed to have work take turns (the rotation), and free slots are filled by leases in batches. A queue
 * leaves the rotation when a lease finds no more in it, and returns when its wake token arrives; one call waits for the
 * tokens of all queues outside the rotation, even while every slot is busy, so that none starves behind a full one.
 * Results of one event-loop turn travel together and bring the next tasks back.
 *
 * Nothing hangs on one reply, timer or token: every step that fails is repeated, and what is missed is found by the
 * next beat, sweep or fallback. A handler that blocks the event loop blocks all of it, heartbeats included; such work
 * belongs into a thread or process of its own.
 */
export class Runner {
  readonly #options: Required<RunnerOptions>;
  readonly #attempts = new Set<Attempt>();
  /**
   * Queues with a lease under way. One at a time for each: a backend remembers only a worker's latest request, and
   * that one must be repeatable if its reply gets lost.
   */
  readonly #leasing = new Set<QueueName>();
  readonly #rotation = new Rotation();
  readonly #gate: Gate;
  readonly #settler: Settler;
  readonly #heartbeat: Heartbeat;
  readonly #due: DueTimers;
  readonly #trouble: Trouble;
  /** Rings when slots, leases under way or the rotation have changed. */
  readonly #changed = new Bell();
  readonly #hurry = new AbortController();
  readonly #ended = new AbortController();
  /** Slots that leases under way may fill. */
  #reserved = 0;
  #draining = false;
  #crashed = false;
  #drained?: Promise<void>;
  #loop?: Promise<void>;
  #wait?: AbortController;
  #waitDueAtMs = Infinity;
  #fallbackAt = 0;
  #vainWakes = 0;
  #waitedAtMs = -Infinity;

  constructor(options: RunnerOptions) {
    const log = options.log ?? NO_LOG;
    const meter = options.meter ?? NO_METER;
    const random = options.random ?? Math.random;
    this.#options = {
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
    const { queue, leaseMs } = this.#options;
    this.#trouble = new Trouble(log, meter, random);
    this.#gate = new Gate((name) => this.#tryNow([name]));
    this.#settler = new Settler({
      consumer: queue,
      leaseMs,
      nextLeases: (queues) => this.#nextLeases(queues),
      onLease: (request, lease) => this.#accept(request, lease),
      onSettled: (attempt, outcome) => this.#settled(attempt, outcome),
      log,
      trouble: this.#trouble,
    });
    this.#heartbeat = new Heartbeat({
      consumer: queue,
      leaseMs,
      attempts: () => new Set([...this.#attempts, ...this.#settler.unsettled]),
      onLost: (attempt) => this.#stop(attempt, 'lease-lost'),
      onCancelled: (attempt) => this.#stop(attempt, 'cancelled'),
      trouble: this.#trouble,
    });
    this.#due = new DueTimers((name) => this.#promote(name));
  }

  /** Begins to lease. Does nothing the second time. */
  start(): void {
    if (this.#loop || this.#draining) return;
    this.#meterSlots();
    this.#heartbeat.start();
    // Nobody knows what happened to the wake tokens before this process was there.
    this.#believe(this.#fallbackQueues());
    this.#loop = this.#run();
  }

  /** Slots in use, and whether the runner does what it should: its loops are not overdue. */
  get status(): { busy: number; total: number; unsettled: number; draining: boolean; stale: boolean } {
    const now = performance.now();
    const heartbeatLate = now - this.#heartbeat.beatAtMs > this.#heartbeat.intervalMs + 5_000;
    const waitLate = now > this.#waitDueAtMs + WAIT_OVERTIME_MS + 5_000;
    return {
      busy: this.#attempts.size,
      total: this.#options.concurrency,
      unsettled: this.#settler.unsettled.size,
      draining: this.#draining,
      stale: this.#loop !== undefined && !this.#draining && (heartbeatLate || waitLate),
    };
  }

  /** Says that `RunnerOptions.queues` would now give other names; tries the given ones at once. */
  queuesChanged(added: readonly QueueName[]): void {
    this.#tryNow(added);
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
    this.#due.stop();
    this.#interruptWait();
    this.#changed.ring();
    // Those held back have not begun and need no time.
    for (const attempt of this.#attempts) if (!attempt.begun) attempt.stop('shutdown', 0);

    const idle = (): boolean => this.#attempts.size === 0 && this.#reserved === 0;
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
    this.#ended.abort();
    await this.#heartbeat.stop();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#draining) {
      try {
        await this.#step();
        this.#trouble.worked('wait');
      } catch (error) {
        await sleep(this.#trouble.failed('wait', error), this.#ended.signal);
        // The failed call may have taken a token with it.
        this.#believe(this.#fallbackQueues());
      }
    }
  }

  /** Learns of queues that have work. What is in the rotation already needs no token. */
  async #step(): Promise<void> {
    this.#fill();
    const startedAtMs = performance.now();
    // A lease under way will soon tell whether its queue has to be waited for; only a steady flow of leases must not
    // keep the other queues from being heard.
    if (this.#leasing.size > 0 && startedAtMs - this.#waitedAtMs < LEASE_PATIENCE_MS) {
      return void (await waitUntil(() => this.#leasing.size === 0, this.#changed, LEASE_PATIENCE_MS));
    }
    const queue = await this.#waitForWork();
    this.#waitedAtMs = performance.now();
    if (queue === undefined) return;
    this.#rotation.add(queue);
    if (this.#draining || this.#free() <= 0) {
      // The token is the queue's only one: a worker with a free slot should have it.
      await this.#options.queue.lease(this.#newRequest(queue, 0));
      return;
    }
    // A token that keeps coming back at once with nothing behind it must not become a busy loop.
    this.#vainWakes = performance.now() - startedAtMs < 10 ? this.#vainWakes + 1 : 0;
    if (this.#vainWakes > 3) {
      await sleep(Math.min(10 * 2 ** (this.#vainWakes - 3), 1_000), this.#ended.signal);
    }
  }

  /** The queue whose token was received; nothing when time ran out, then some queues are to be tried. */
  async #waitForWork(): Promise<QueueName | undefined> {
    const queues = this.#queues().filter((queue) => !this.#rotation.has(queue) && !this.#skips(queue));
    const timeoutMs = Math.round(this.#options.fallbackMs * (0.8 + 0.4 * this.#options.random()));
    const wait = new AbortController();
    this.#wait = wait;
    this.#waitDueAtMs = performance.now() + timeoutMs;
    try {
      if (queues.length === 0) return void (await sleep(timeoutMs, wait.signal));
      const waiting = this.#options.queue.waitForWork(queues, timeoutMs, wait.signal);
      const queue = await this.#withDeadline(waiting, timeoutMs + WAIT_OVERTIME_MS);
      if (queue === undefined && !wait.signal.aborted) {
        this.#believe(this.#fallbackQueues());
      }
      return queue;
    } finally {
      this.#wait = undefined;
      this.#waitDueAtMs = Infinity;
      wait.abort();
    }
  }

  // No correctness may hang on one blocking call: there have been clients whose reads never came back.
  async #withDeadline(
    waiting: Promise<QueueName | undefined>,
    timeoutMs: number,
  ): Promise<QueueName | undefined> {
    const done = new AbortController();
    const overdue = sleep(timeoutMs, done.signal).then(() => {
      if (!done.signal.aborted) throw new Error('The wait for work did not come back in time.');
      return undefined;
    });
    try {
      return await Promise.race([waiting, overdue]);
    } finally {
      done.abort();
    }
  }

  #queues(): readonly QueueName[] {
    const { queues } = this.#options;
    return typeof queues === 'function' ? queues() : queues;
  }

  #fallbackQueues(): QueueName[] {
    const queues = this.#queues();
    const count = Math.min(queues.length, FALLBACK_QUEUES_MAX);
    const from = this.#fallbackAt;
    this.#fallbackAt += count;
    return Array.from({ length: count }, (_, index) => queues[(from + index) % queues.length]!);
  }

  #free(): number {
    return this.#options.concurrency - this.#attempts.size - this.#reserved - this.#settler.stuck;
  }

  #skips(queue: QueueName): boolean {
    return this.#leasing.has(queue) || this.#gate.holds(queue);
  }

  /** Leases for every free slot, as far as there is believed to be work. */
  #fill(): void {
    // Settlements are about to leave and will take the requests along.
    if (this.#settler.flushing) return;
    for (let request = this.#nextRequest(); request; request = this.#nextRequest()) void this.#lease(request);
  }

  #nextLeases(settling: readonly QueueName[]): Map<QueueName, LeaseRequest> {
    const fused = new Map<QueueName, LeaseRequest>();
    for (let request = this.#nextRequest(); request; request = this.#nextRequest()) {
      // Only a queue that is being settled anyway can be leased from in the same round trip.
      if (settling.includes(request.queue)) fused.set(request.queue, request);
      else void this.#lease(request);
    }
    return fused;
  }

  /** Reserves free slots for the queue whose turn it is. */
  #nextRequest(): LeaseRequest | undefined {
    const max = Math.min(this.#free(), LEASE_TASKS_MAX);
    if (this.#draining || max <= 0) return undefined;
    const queue = this.#rotation.next((name) => this.#skips(name));
    if (queue === undefined) return undefined;
    this.#reserved += max;
    this.#leasing.add(queue);
    return this.#newRequest(queue, max);
  }

  #newRequest(queue: QueueName, max: number): LeaseRequest {
    const { workerId, leaseMs } = this.#options;
    return { queue, workerId, max, leaseMs, requestId: randomUUID() };
  }

  async #lease(request: LeaseRequest): Promise<void> {
    const startedAtMs = performance.now();
    let lease: Lease | undefined;
    // A reply that got lost may have carried tasks, so the same request is repeated while its leases can hold.
    while (!lease && !this.#ended.signal.aborted) {
      try {
        lease = await this.#options.queue.lease(request);
        this.#trouble.worked('lease');
      } catch (error) {
        await sleep(this.#trouble.failed('lease', error), this.#ended.signal);
        if (performance.now() - startedAtMs > this.#options.leaseMs * 0.8) break;
      }
    }
    this.#accept(request, lease);
  }

  #accept(request: LeaseRequest, lease: Lease | undefined): void {
    const { queue } = request;
    this.#reserved -= request.max;
    this.#leasing.delete(queue);
    if (lease) {
      if (lease.tasks.length > 0) this.#vainWakes = 0;
      if (lease.tasks.length > 0 && lease.more) this.#rotation.add(queue);
      else {
        this.#rotation.delete(queue);
        // From now on the queue is to be waited for, too.
        this.#interruptWait();
      }
      this.#due.arm(queue, lease.nextDueInMs);
      for (const task of lease.tasks) void this.#attempt(new Attempt(task));
      this.#meterSlots();
    }
    this.#fill();
    this.#changed.ring();
  }

  async #attempt(attempt: Attempt): Promise<void> {
    const { type } = attempt.task;
    this.#attempts.add(attempt);
    if (this.#draining) attempt.stop('shutdown', 0);
    const handler = this.#options.handlers.get(type);
    const entered = this.#gate.enter(attempt, handler?.concurrency);
    const mayRun = entered === true || (await entered);
    attempt.begun = mayRun;
    attempt.startedAtMs = performance.now();
    const end = await execute(attempt, handler, this.#options.timeoutMs);
    if (mayRun) this.#gate.leave(type);

    this.#attempts.delete(attempt);
    this.#meterSlots();
    if (end.outcome === 'lease-lost' || (end.outcome === 'released' && this.#crashed && attempt.begun)) {
      this.#meterEnd(attempt, 'lease-lost');
      this.#fill();
    } else {
      if (end.outcome === 'failed' || end.outcome === 'timeout') this.#logFailure(attempt, end);
      attempt.outcome = end.outcome;
      const { progress, logs } = attempt.takeNews();
      attempt.giveBack({ progress });
      const defaultRetry = handler?.retry && completeRetry(handler.retry);
      this.#settler.add(attempt, { ...settlementOf(attempt, end, defaultRetry), ...(logs && { logs }) });
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

  #settled(attempt: Attempt, outcome: SettleOutcome | undefined): void {
    // What was stuck frees its slot, and a lost lease brings no request along.
    this.#fill();
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

  /** Makes what is due in a queue pending, which rings its wake token, and sees to what is due next. */
  async #promote(queue: QueueName): Promise<void> {
    try {
      const { more, nextInMs } = await this.#options.queue.promote(queue);
      this.#trouble.worked('promote');
      this.#due.arm(queue, more ? 0 : nextInMs);
    } catch (error) {
      this.#due.arm(queue, this.#trouble.failed('promote', error));
    }
  }

  #believe(queues: readonly QueueName[]): void {
    for (const queue of queues) this.#rotation.add(queue);
  }

  #tryNow(queues: readonly QueueName[]): void {
    this.#believe(queues);
    this.#interruptWait();
    this.#fill();
  }

  #interruptWait(): void {
    this.#wait?.abort();
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
  defaultRetry: ReturnType<typeof completeRetry> | undefined,
): Settlement {
  const held = { id, leaseToken };
  if (end.outcome === 'completed') {
    return { ...held, action: 'complete', ...(end.result !== undefined && { result: end.result }) };
  }
  if (end.outcome === 'released') return { ...held, action: 'release' };
  const { error, retryable, retryInMs } = end;
  return {
    ...held,
    action: 'fail',
    error,
    ...(retryable !== undefined && { retryable }),
    ...(retryInMs !== undefined && { retryInMs }),
    ...(defaultRetry && { defaultRetry }),
  };
}
