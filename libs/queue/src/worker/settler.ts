import type { Consumer, Lease, LeaseRequest, SettleOutcome, Settlement } from '../core/ports/consumer.js';
import { LIMITS } from '../core/limits.js';
import { QueueError } from '../core/errors.js';
import type { QueueName } from '../core/task.js';
import type { Attempt } from './attempt.js';
import type { Log } from './meter.js';
import type { Trouble } from './trouble.js';
import { Bell, sleep, waitUntil } from './waiting.js';

/** A settlement on its way. */
interface Parcel {
  attempt: Attempt;
  settlement: Settlement;
}

export interface SettlerOptions {
  consumer: Pick<Consumer, 'settle' | 'extend'>;
  leaseMs: number;
  /** So many leave at once, in the middle of a turn: as many as one lease brings. */
  batch: number;
  /** For each of the queues that are about to be settled, what to lease in the same round trip, if anything. */
  nextLeases: (queues: readonly QueueName[]) => ReadonlyMap<QueueName, LeaseRequest>;
  /** Gets the answer to a request from `nextLeases`; `undefined` when there is none to be had. */
  onLease: (request: LeaseRequest, lease: Lease | undefined) => void;
  /** Called once per settlement: with the engine's answer, or `undefined` when it was given up. */
  onSettled: (attempt: Attempt, outcome: SettleOutcome | undefined) => void;
  log: Log;
  trouble: Trouble;
}

/**
 * Brings results to the engine. Those of one event-loop turn leave together, or sooner as a full batch, one call per
 * queue. While the store is away they are kept and sent again: a settlement repeated with its lease token changes
 * nothing, and one whose lease was lost in the meantime is refused.
 */
export class Settler {
  /** Settlements not answered yet; their leases must be kept. */
  readonly #unsettled = new Set<Attempt>();
  readonly #bell = new Bell();
  readonly #closed = new AbortController();
  #parcels: Parcel[] = [];
  #flushing = false;
  #stuck = 0;

  constructor(private readonly options: SettlerOptions) {}

  /** Attempts whose settlement has not been answered. */
  get unsettled(): ReadonlySet<Attempt> {
    return this.#unsettled;
  }

  /** Settlements that could not be delivered so far. A worker should not start more while they pile up. */
  get stuck(): number {
    return this.#stuck;
  }

  /** Whether settlements are about to leave, and will ask for `nextLeases`. */
  get flushing(): boolean {
    return this.#flushing;
  }

  add(attempt: Attempt, settlement: Settlement): void {
    this.#unsettled.add(attempt);
    this.#parcels.push({ attempt, settlement });
    if (this.#parcels.length >= this.options.batch) return this.#flush();
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  /** Waits until everything is settled, at most `timeoutMs`, then gives up what is not. */
  async close(timeoutMs: number): Promise<void> {
    await waitUntil(() => this.#unsettled.size === 0, this.#bell, timeoutMs);
    this.#closed.abort();
    for (const attempt of this.#unsettled) this.#end(attempt, undefined);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#parcels.length === 0) return;
    const groups = byQueue(this.#parcels);
    this.#parcels = [];
    const nextLeases = this.options.nextLeases([...groups.keys()]);
    for (const [queue, parcels] of groups) {
      const chunks = inChunks(parcels);
      chunks.forEach((chunk, index) => {
        void this.#deliver(chunk, index === chunks.length - 1 ? nextLeases.get(queue) : undefined);
      });
    }
  }

  async #deliver(parcels: readonly Parcel[], next?: LeaseRequest): Promise<void> {
    const { consumer, leaseMs, trouble } = this.options;
    const startedAtMs = performance.now();
    let request = next;
    let failures = 0;
    await this.#deliverLastProgress(parcels);
    while (!this.#closed.signal.aborted) {
      try {
        const { outcomes, lease } = await consumer.settle(
          parcels.map(({ settlement }) => settlement),
          request,
        );
        trouble.worked('settle');
        if (failures > 0) this.#stuck -= parcels.length;
        parcels.forEach(({ attempt }, index) => this.#end(attempt, outcomes[index]));
        if (request) this.options.onLease(request, lease);
        return;
      } catch (error) {
        const waitMs = trouble.failed('settle', error);
        if (failures++ === 0) this.#stuck += parcels.length;
        if (!mayPass(error, failures)) {
          // Something in here is not acceptable; it must not hold up the others.
          this.#stuck -= parcels.length;
          if (request) this.options.onLease(request, undefined);
          return this.#deliverSingly(parcels, error);
        }
        await sleep(waitMs, this.#closed.signal);
        // The repeat of a lease request is only good for as long as its leases are.
        if (request && performance.now() - startedAtMs > leaseMs * 0.8) {
          this.options.onLease(request, undefined);
          request = undefined;
        }
      }
    }
    if (request) this.options.onLease(request, undefined);
  }

  async #deliverSingly(parcels: readonly Parcel[], error: unknown): Promise<void> {
    if (parcels.length > 1) return void parcels.forEach((parcel) => void this.#deliver([parcel]));
    const { attempt, settlement } = parcels[0]!;
    const { id, leaseToken } = settlement;
    this.options.log.error({ taskId: id, err: error }, 'a settlement is not acceptable');
    if (settlement.action === 'fail' && settlement.error.code === UNSETTLED_CODE) {
      return this.#end(attempt, undefined);
    }
    // The attempt must end somehow, or its lease would be kept for ever.
    const message = 'The outcome of the attempt could not be recorded.';
    await this.#deliver([
      { attempt, settlement: { id, leaseToken, action: 'fail', error: { message, code: UNSETTLED_CODE } } },
    ]);
  }

  // A settlement has no room for progress, and the last value (mostly: done) is the one people look at.
  async #deliverLastProgress(parcels: readonly Parcel[]): Promise<void> {
    const extensions = parcels.flatMap(({ attempt, settlement: { id, leaseToken } }) => {
      const { progress } = attempt.takeNews();
      return progress === undefined ? [] : [{ id, leaseToken, progress }];
    });
    if (extensions.length === 0) return;
    await this.options.consumer.extend(extensions, this.options.leaseMs).catch(() => undefined);
  }

  #end(attempt: Attempt, outcome: SettleOutcome | undefined): void {
    if (!this.#unsettled.delete(attempt)) return;
    this.options.onSettled(attempt, outcome);
    this.#bell.ring();
  }
}

const UNSETTLED_CODE = 'unsettled';

/** Whether an error says something about the store's condition, so that the same call may work later. */
function mayPass(error: unknown, failures: number): boolean {
  if (!(error instanceof QueueError)) return false;
  return error.kind === 'unavailable' || error.kind === 'full' || (error.kind === 'internal' && failures < 5);
}

function byQueue(parcels: readonly Parcel[]): Map<QueueName, Parcel[]> {
  const groups = new Map<QueueName, Parcel[]>();
  for (const parcel of parcels) {
    const { queue } = parcel.attempt.task;
    const group = groups.get(queue);
    if (group) group.push(parcel);
    else groups.set(queue, [parcel]);
  }
  return groups;
}

/** Bounded in number and size, so that one worker's settlements do not delay everybody's reply. */
function inChunks(parcels: readonly Parcel[]): Parcel[][] {
  const chunks: Parcel[][] = [];
  let bytes = Infinity;
  for (const parcel of parcels) {
    const size = sizeOf(parcel.settlement);
    const current = chunks.at(-1);
    if (!current || current.length >= LIMITS.sliceTasksMax || bytes + size > LIMITS.sliceBytesMax) {
      chunks.push([parcel]);
      bytes = size;
    } else {
      current.push(parcel);
      bytes += size;
    }
  }
  return chunks;
}

function sizeOf(settlement: Settlement): number {
  return settlement.action === 'complete' ? (settlement.result?.length ?? 0) : 0;
}
