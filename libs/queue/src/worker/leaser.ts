import { randomUUID } from 'node:crypto';
import { LIMITS } from '../core/limits.js';
import type { Consumer, Lease, LeasedTask, LeaseRequest } from '../core/ports/consumer.js';
import type { QueueName } from '../core/task.js';
import { tenantsServed } from '../core/tenants-served.js';
import { DueTimers } from './due-timers.js';
import { Rests } from './rests.js';
import { Rotation } from './rotation.js';
import type { Trouble } from './trouble.js';
import { type Bell, sleep, waitUntil } from './waiting.js';

export interface LeaserOptions {
  consumer: Pick<Consumer, 'lease' | 'waitForWork' | 'waitAndLease'>;
  /** What to serve; asked again before every wait. */
  queues: () => readonly QueueName[];
  workerId: string;
  leaseMs: number;
  /** As in `LeaseRequest`. */
  tenants: readonly string[];
  /** As in `LeaseRequest`. */
  steal: boolean | readonly string[];
  fallbackMs: number;
  /** All slots. */
  concurrency: number;
  /** Slots that are free, those included that leases under way may fill. */
  slots: () => number;
  /** Whether further tasks of the queue could not begin, slots or not. */
  held: (queue: QueueName) => boolean;
  /** Whether `nextLeases` is about to be called, so that requests should wait for it. */
  fusing: () => boolean;
  /** Gets what was leased, and whether more is about to be asked for. From its return on, `slots` counts it. */
  onTasks: (tasks: readonly LeasedTask[], more: boolean) => void;
  /** Rings when slots, leases under way or the rotation have changed. */
  changed: Bell;
  trouble: Trouble;
  /** In [0, 1); for jitter. */
  random: () => number;
}

/** Tasks taken by one lease: more are hardly cheaper each, and everybody else waits for them. */
const LEASE_TASKS_MAX = 50;
/** The same for a worker with few slots: of smaller leases each task costs the store more. */
const LEASE_TASKS_MIN = 25;
/** Queues tried when a wait found nothing. With more queues than this the next wait goes on with the others. */
const FALLBACK_QUEUES_MAX = 10;
/** How long a wait is put off because a lease may still change what is to be waited for. */
const LEASE_PATIENCE_MS = 50;
/** How long a wait may be late before it is taken to be dead. */
const WAIT_OVERTIME_MS = 2_000;
/** No queue is asked for what is due more often than this: what falls due meanwhile is taken at once. */
const DUE_GAP_MS = 5;

/**
 * Brings tasks to free slots. Queues believed to have work take turns (the rotation), and free slots are filled by leases
 * in batches. A queue leaves the rotation when a lease finds no more in it, and returns when its wake token arrives; one
 * call waits for the tokens of all queues outside the rotation, even while every slot is busy, so that none starves behind
 * a full one. What only time brings (a task falls due, a rate allows the next start) is asked for when it is there.
 */
export class Leaser {
  /** Queues with leases under way, and how many: up to `LIMITS.requestsKept`, so that each can be repeated. */
  readonly #leasing = new Map<QueueName, number>();
  /** Queues whose latest answer brought tasks and said that there are more. */
  readonly #plenty = new Set<QueueName>();
  /** Queues with a lease under way whose token arrived meanwhile: the answer may be older than what the token stands for. */
  readonly #rung = new Set<QueueName>();
  readonly #rotation = new Rotation();
  readonly #due = new DueTimers((queue) => this.#takeDue(queue), DUE_GAP_MS);
  readonly #rests = new Rests((queue) => this.#listenTo(queue));
  readonly #ended = new AbortController();
  /** Tenants to wait for; absent where everybody is served. */
  readonly #tenants: readonly string[] | undefined;
  /** As many as one lease may bring. */
  readonly tasksPerLease: number;
  /** Slots that leases under way may fill. */
  #reserved = 0;
  #stopped = false;
  #loop?: Promise<void>;
  #wait?: { queues: ReadonlySet<QueueName>; end: AbortController; giveUp: () => void };
  #waitDueAtMs = Infinity;
  #fallbackAt = 0;
  #waitedAtMs = -Infinity;

  /** @throws Error when nobody would be served */
  constructor(private readonly options: LeaserOptions) {
    const { concurrency, tenants, steal } = options;
    // Not all slots at once: where handlers have nothing to wait for, all would end together, and we and the store would
    // wait for each other by turns.
    this.tasksPerLease = Math.min(LEASE_TASKS_MAX, Math.max(LEASE_TASKS_MIN, Math.ceil(concurrency / 2)));
    this.#tenants = tenantsServed({ tenants, steal });
    if (this.#tenants?.length === 0) throw new Error('A worker must serve some tenants, or steal.');
  }

  start(): void {
    // Nobody knows what happened to the wake tokens before this process was there.
    this.#believe(this.#fallbackQueues());
    this.#loop ??= this.#run();
  }

  /** No lease is under way. */
  get idle(): boolean {
    return this.#reserved === 0;
  }

  /** The wait for work is overdue beyond what its own deadline should allow. */
  get stale(): boolean {
    return performance.now() > this.#waitDueAtMs + WAIT_OVERTIME_MS + 5_000;
  }

  /** Begins nothing more. Leases under way can still bring tasks. */
  stop(): void {
    this.#stopped = true;
    this.#due.stop();
    this.#rests.stop();
    this.#wait?.end.abort();
  }

  /** Gives up leases under way, and resolves when the loop has ended. */
  async close(): Promise<void> {
    this.#ended.abort();
    this.#wait?.giveUp();
    await this.#loop;
  }

  /** Asks these queues at once, whatever is known of them. */
  tryNow(queues: readonly QueueName[]): void {
    this.#believe(queues);
    this.#wait?.end.abort();
    this.fill();
  }

  /** Leases for every free slot, as far as there is believed to be work. */
  fill(): void {
    if (this.options.fusing()) return;
    for (let request = this.#nextRequest(); request; request = this.#nextRequest()) void this.#lease(request);
  }

  /** The same, but leaves the requests for these queues to the caller, who must bring their answers to `accept`. */
  nextLeases(settling: readonly QueueName[]): Map<QueueName, LeaseRequest> {
    const fused = new Map<QueueName, LeaseRequest>();
    for (let request = this.#nextRequest(); request; request = this.#nextRequest()) {
      // Only a queue that is being settled anyway can be leased from in the same round trip.
      if (settling.includes(request.queue) && !fused.has(request.queue)) fused.set(request.queue, request);
      else void this.#lease(request);
    }
    return fused;
  }

  /** The answer to a request; `undefined` when there is none to be had. */
  accept(request: LeaseRequest, lease: Lease | undefined): void {
    const { queue } = request;
    this.#reserved -= request.max;
    const others = this.#leasing.get(queue)! - 1;
    if (others > 0) this.#leasing.set(queue, others);
    else this.#leasing.delete(queue);
    const rung = this.#rung.delete(queue);
    if (lease) {
      const gave = lease.tasks.length > 0;
      if (gave && lease.more) this.#plenty.add(queue);
      else this.#plenty.delete(queue);
      if (rung || (gave && lease.more)) this.#rotation.add(queue);
      else {
        this.#rotation.delete(queue);
        this.#listenTo(queue);
      }
      if (gave) this.#rests.gave(queue);
      this.#armDue(queue, lease.nextDueInMs, gave ? 0 : this.#rests.vain(queue));
      this.options.onTasks(lease.tasks, lease.more);
    }
    this.fill();
    this.options.changed.ring();
  }

  async #run(): Promise<void> {
    const { trouble } = this.options;
    while (!this.#stopped) {
      try {
        await this.#step();
        trouble.worked('wait');
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        await sleep(trouble.failed('wait', error), this.#ended.signal);
        // The failed call may have taken a token with it.
        this.#believe(this.#fallbackQueues());
      }
    }
  }

  /** Learns of queues that have work. What is in the rotation already needs no token. */
  async #step(): Promise<void> {
    this.fill();
    // A lease under way will soon tell whether its queue has to be waited for; only a steady flow of leases must not
    // keep the other queues from being heard.
    if (this.#leasing.size > 0 && performance.now() - this.#waitedAtMs < LEASE_PATIENCE_MS) {
      const answered = () => this.#leasing.size === 0;
      return void (await waitUntil(answered, this.options.changed, LEASE_PATIENCE_MS));
    }
    const served = this.options.queues();
    const queues = served.filter(
      (queue) => !this.#rotation.has(queue) && !this.#skips(queue) && !this.#rests.has(queue),
    );
    // A lease that is sent along keeps its slots from all other queues.
    const max = served.length === 1 && queues.length === 1 ? this.#mostNow : 0;
    const request = max > 0 ? this.#request(queues[0]!, max) : undefined;
    const rung = request ? await this.#waitAndLease(request) : await this.#waitForWork(queues);
    this.#waitedAtMs = performance.now();
    if (rung !== undefined) await this.#passOn(rung);
  }

  /** Begins to lease from a queue whose token was received; false where nothing can be taken now. */
  #use(queue: QueueName): boolean {
    if (this.#stopped || this.#free() <= 0) return false;
    if (this.#leasing.has(queue)) this.#rung.add(queue);
    this.#rotation.add(queue);
    this.fill();
    return true;
  }

  /** Returns the queue whose token was received and is of no use here. When time runs out some queues are to be tried. */
  #waitForWork(queues: readonly QueueName[]): Promise<QueueName | undefined> {
    return this.#waiting(queues, async (timeoutMs, signal) => {
      if (queues.length === 0) return void (await sleep(timeoutMs, signal));
      const queue = await this.options.consumer.waitForWork(queues, timeoutMs, signal, this.#tenants);
      if (queue !== undefined) return this.#use(queue) ? undefined : queue;
      if (!signal.aborted) this.#believe(this.#fallbackQueues());
      return undefined;
    });
  }

  /** With the lease sent along the first task is here a round trip earlier. */
  async #waitAndLease(request: LeaseRequest): Promise<undefined> {
    let isOpen = true;
    try {
      await this.#waiting([request.queue], async (timeoutMs, signal) => {
        const lease = await this.options.consumer.waitAndLease(request, timeoutMs, signal);
        if (isOpen) this.accept(request, lease);
        isOpen = false;
      });
    } catch (error) {
      // It may have taken something.
      if (isOpen) void this.#lease(request);
      isOpen = false;
      throw error;
    }
  }

  /**
   * Runs a wait that ends early when there is something else to wait for. It uses what it hears before it is cleared away,
   * which takes Node a while after a rest. No correctness may hang on one blocking call: there have been clients whose
   * reads never came back.
   */
  async #waiting<T>(
    queues: readonly QueueName[],
    wait: (timeoutMs: number, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { fallbackMs, random } = this.options;
    const timeoutMs = Math.round(fallbackMs * (0.8 + 0.4 * random()));
    const end = new AbortController();
    const overdue = new Promise<never>((_, reject) => {
      const giveUp = () => {
        end.abort();
        reject(new Error('The wait for work did not come back in time.'));
      };
      this.#wait = { queues: new Set(queues), end, giveUp };
    });
    const timer = setTimeout(this.#wait!.giveUp, timeoutMs + WAIT_OVERTIME_MS);
    this.#waitDueAtMs = performance.now() + timeoutMs;
    try {
      return await Promise.race([wait(timeoutMs, end.signal), overdue]);
    } finally {
      clearTimeout(timer);
      this.#wait = undefined;
      this.#waitDueAtMs = Infinity;
    }
  }

  /** Has the queue waited for from now on, unless it is already or need not be. */
  #listenTo(queue: QueueName): void {
    if (!this.#wait?.queues.has(queue)) this.#wait?.end.abort();
  }

  #fallbackQueues(): QueueName[] {
    const queues = this.options.queues();
    const count = Math.min(queues.length, FALLBACK_QUEUES_MAX);
    const from = this.#fallbackAt;
    this.#fallbackAt += count;
    return Array.from({ length: count }, (_, index) => queues[(from + index) % queues.length]!);
  }

  #free(): number {
    return this.options.slots() - this.#reserved;
  }

  #skips(queue: QueueName): boolean {
    return this.#leasing.has(queue) || this.options.held(queue);
  }

  /**
   * While one lease comes or goes the store has the other to work on, instead of both waiting for each other by turns. Small
   * ones are not worth it: the slots that are free when the first is answered are served by one.
   */
  #mayLeaseBeside(queue: QueueName, max: number): boolean {
    const plenty = max === this.tasksPerLease && this.#plenty.has(queue);
    return plenty && this.#leasing.get(queue)! < LIMITS.requestsKept && !this.options.held(queue);
  }

  #believe(queues: readonly QueueName[]): void {
    for (const queue of queues) this.#rotation.add(queue);
  }

  /** Reserves free slots for the queue whose turn it is. */
  #nextRequest(): LeaseRequest | undefined {
    const max = this.#mostNow;
    if (max === 0) return undefined;
    const queue = this.#rotation.next((name) => this.#skips(name) && !this.#mayLeaseBeside(name, max));
    return queue === undefined ? undefined : this.#request(queue, max);
  }

  /** Reserves so many free slots. */
  #request(queue: QueueName, max: number): LeaseRequest {
    this.#reserved += max;
    this.#leasing.set(queue, (this.#leasing.get(queue) ?? 0) + 1);
    return this.#newRequest(queue, max);
  }

  /** What one lease may bring now. */
  get #mostNow(): number {
    return this.#stopped ? 0 : Math.max(0, Math.min(this.#free(), this.tasksPerLease));
  }

  #newRequest(queue: QueueName, max: number): LeaseRequest {
    const { workerId, leaseMs, tenants, steal } = this.options;
    return { queue, workerId, max, leaseMs, requestId: randomUUID(), tenants, steal };
  }

  async #lease(request: LeaseRequest): Promise<void> {
    const { consumer, leaseMs, trouble } = this.options;
    const startedAtMs = performance.now();
    let lease: Lease | undefined;
    // A reply that got lost may have carried tasks, so the same request is repeated while its leases can hold.
    while (!lease && !this.#ended.signal.aborted) {
      try {
        lease = await consumer.lease(request);
        trouble.worked('lease');
      } catch (error) {
        await sleep(trouble.failed('lease', error), this.#ended.signal);
        if (performance.now() - startedAtMs > leaseMs * 0.8) break;
      }
    }
    this.accept(request, lease);
  }

  /** Gives a queue's token to a worker that can take something: if work is waiting, there is only this one. */
  async #passOn(queue: QueueName): Promise<void> {
    let more = true;
    let nextDueInMs: number | undefined;
    try {
      ({ more, nextDueInMs } = await this.options.consumer.lease(this.#newRequest(queue, 0)));
    } finally {
      // The next free slot asks without a token, which would only come back here until then, or got lost.
      if (more) this.#rotation.add(queue);
    }
    this.#armDue(queue, nextDueInMs, this.#rests.vain(queue));
    this.fill();
  }

  #armDue(queue: QueueName, nextDueInMs: number | undefined, restMs: number): void {
    if (nextDueInMs !== undefined) this.#due.arm(queue, Math.max(nextDueInMs, restMs));
  }

  /** Takes what is due by now, or makes it known to others. */
  async #takeDue(queue: QueueName): Promise<void> {
    // The answer under way says when to come back; one that waits comes now.
    if (this.#leasing.has(queue)) {
      if (this.#wait?.queues.has(queue)) this.#wait.end.abort();
      return;
    }
    if (this.#free() > 0 && !this.options.held(queue)) {
      this.#rotation.add(queue);
      return this.fill();
    }
    try {
      await this.#passOn(queue);
      this.options.trouble.worked('lease');
    } catch (error) {
      this.#due.arm(queue, this.options.trouble.failed('lease', error));
    }
  }
}
