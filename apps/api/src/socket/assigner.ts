import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, Lease, LeasedTask, LeaseRequest, QueueName } from '@app/queue';
import { invalid } from '../http/validation.js';
import { tryToGiveBack } from '../leases/give-back.js';
import type { Place } from '../leases/line.js';
import { placeFor, rest, type Lines } from '../leases/lines.js';

/** Tasks in one message. */
const ASSIGNED_TASKS_MAX = 100;
/** Between two attempts while the store does not answer. */
const TROUBLE_MS = 1_000;
/** The first of each line asks far more often. */
const LISTEN_MS = 3_600_000;

export interface AssignerOptions {
  consumer: Consumer;
  lines: Lines;
  queues: readonly QueueName[];
  /** Who takes the tasks, for how long, and whose. */
  terms: Omit<LeaseRequest, 'queue' | 'max' | 'requestId'>;
  /** Known to the worker and its API processes alone: what nobody was told of can be found by it. */
  session: string;
  /** The number of the latest assignment that the worker knows of. */
  number: number;
  /** Whether the assignment was delivered. */
  assign: (number: number, tasks: readonly LeasedTask[]) => Promise<boolean>;
}

/** What a worker can take, as it says itself. */
export interface Credit {
  /** Number of the latest assignment that it knows of. */
  received: number;
  /** How many more tasks it can begin now. */
  free: number;
}

/**
 * Takes tasks for a worker that waits for them on a connection, as many as it has credit for. Assignments are numbered, and
 * there is none before the worker has given credit in knowledge of the one before: so credit cannot be counted twice, and of
 * all that was ever taken for the worker only one lease can be unknown to it, whose request follows from session and number.
 */
export class Assigner {
  /** Queues believed to have something, in turn; the others are waited for. */
  readonly #ready: QueueName[];
  readonly #places: readonly Place[];
  /** Requests that may have taken something which nobody was told of: they are repeated. */
  readonly #unanswered = new Map<QueueName, string>();
  readonly #stopped = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();
  #number: number;
  #free = 0;
  /** A lease is under way: one at a time. */
  #leasing = false;
  #isHeld = false;
  /** The store did not answer. */
  #rests = false;
  #quiet: (() => void)[] = [];
  #listening = false;
  #unlisten = new AbortController();
  #restMs = 0;

  constructor(private readonly options: AssignerOptions) {
    const { queues, terms, number } = options;
    // Nobody knows what happened to the wake tokens before the worker was there.
    this.#ready = [...queues];
    this.#places = queues.map((queue) => placeFor({ ...terms, queue }));
    this.#number = number;
  }

  /**
   * Replaces what was granted before. Resolves once nothing is under way that the worker does not know of, where it wants
   * nothing more. `at` leads to the credit in its message.
   *
   * @throws Problem `invalid-request`
   */
  async grant(credit: Credit, at = ''): Promise<void> {
    this.#accept(credit, at);
    this.#go();
    while (credit.free === 0 && this.#leasing)
      await new Promise<void>((resolve) => this.#quiet.push(resolve));
  }

  /**
   * Replaces what was granted before, and says what can be taken along with settlements of these queues. The answer must be
   * brought to `took`, or to `failed`. @throws Problem `invalid-request`
   */
  grantWhileSettling(credit: Credit, settling: readonly QueueName[], at: string): LeaseRequest | undefined {
    this.#accept(credit, at);
    const [queue] = this.#ready;
    if (!this.#mayLease || queue === undefined || !settling.includes(queue)) {
      this.#go();
      return undefined;
    }
    return this.#nextRequest();
  }

  took({ queue }: LeaseRequest, { tasks, more, nextDueInMs }: Lease): void {
    this.#unanswered.delete(queue);
    if (tasks.length > 0) this.#assign(tasks);
    if (tasks.length > 0 && more) this.#ready.push(queue);
    else if (tasks.length > 0) this.#placeOf(queue)?.emptied(nextDueInMs);
    else this.#restMs = this.#placeOf(queue)?.vain(nextDueInMs) ?? 0;
    this.#ended();
  }

  /** Whether it took something is unknown. */
  failed({ queue, requestId }: LeaseRequest): void {
    if (requestId !== undefined) this.#unanswered.set(queue, requestId);
    this.#ready.push(queue);
    this.#rests = true;
    this.#leaveLines();
    void this.#trouble().then(() => {
      this.#rests = false;
      this.#go();
    });
    this.#ended();
  }

  /** Takes nothing while it is held, whatever the credit. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (isHeld) this.#leaveLines();
    this.#go();
  }

  /** Takes nothing more, and gives back what has not been delivered. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#leaveLines();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  get #mayLease(): boolean {
    return !this.#leasing && !this.#rests && !this.#isHeld && this.#free > 0 && !this.#stopped.signal.aborted;
  }

  #accept({ received, free }: Credit, at: string): void {
    if (received > this.#number) {
      const detail = `must not be more than ${this.#number}, the number of the latest assignment`;
      throw invalid([{ pointer: `${at}/received`, detail }]);
    }
    // Otherwise it was said before the assignment arrived that is on its way.
    if (received === this.#number) this.#free = free;
  }

  /** Call whenever something has changed. */
  #go(): void {
    if (this.#free === 0) this.#leaveLines();
    if (!this.#mayLease) return;
    if (this.#ready.length > 0) this.#track(this.#lease(this.#nextRequest()));
    else if (!this.#listening) this.#track(this.#listen());
  }

  #nextRequest(): LeaseRequest {
    const queue = this.#ready.shift()!;
    this.#leasing = true;
    const { terms, session } = this.options;
    const requestId = this.#unanswered.get(queue) ?? leaseIdentity(session, this.#number + 1);
    return { ...terms, queue, max: Math.min(this.#free, ASSIGNED_TASKS_MAX), requestId };
  }

  async #lease(request: LeaseRequest): Promise<void> {
    let lease: Lease;
    try {
      lease = await this.options.consumer.lease(request);
    } catch {
      return this.failed(request);
    }
    this.took(request, lease);
  }

  #ended(): void {
    this.#leasing = false;
    for (const resolve of this.#quiet.splice(0)) resolve();
    this.#go();
  }

  #assign(tasks: readonly LeasedTask[]): void {
    const { consumer, assign } = this.options;
    this.#free = 0;
    if (this.#stopped.signal.aborted) return this.#track(tryToGiveBack(consumer, tasks));
    const delivered = assign(++this.#number, tasks);
    this.#track(delivered.then((isDelivered) => (isDelivered ? undefined : tryToGiveBack(consumer, tasks))));
  }

  /** Waits in the lines of all queues, until the credit is used up. */
  async #listen(): Promise<void> {
    const { lines } = this.options;
    this.#listening = true;
    this.#unlisten = new AbortController();
    const { signal } = this.#unlisten;
    for (const place of this.#places) lines.enter(place);
    while (!signal.aborted) {
      await rest(this.#restMs, signal);
      this.#restMs = 0;
      const heard = await lines.hear(this.#places, LISTEN_MS, signal).catch(() => this.#trouble());
      if (heard) await this.#heard(heard.place.queue, heard.hasToken);
    }
    this.#listening = false;
    this.#go();
  }

  async #heard(queue: QueueName, hasToken: boolean): Promise<void> {
    const { lines, terms } = this.options;
    this.#ready.unshift(queue);
    if (this.#mayLease) return this.#lease(this.#nextRequest());
    this.#leaveLines();
    if (hasToken) await lines.passOn({ ...terms, queue, max: 0 }).catch(() => undefined);
  }

  #leaveLines(): void {
    this.#unlisten.abort();
    for (const place of this.#places) this.options.lines.leave(place);
  }

  #placeOf(queue: QueueName): Place | undefined {
    return this.#places.find((place) => place.queue === queue);
  }

  /** Spread, so that a store that comes back is not asked by all at once. */
  async #trouble(): Promise<void> {
    await delay(TROUBLE_MS * (0.5 + Math.random()), undefined, {
      signal: this.#stopped.signal,
      ref: false,
    }).catch(() => undefined);
  }

  #track(work: Promise<unknown>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}

/** The identity of the lease that brings this assignment. Who knows a token learns nothing of the next one. */
export function leaseIdentity(session: string, number: number): string {
  return createHash('sha256').update(`${session} ${number}`).digest('base64url').slice(0, 22);
}
