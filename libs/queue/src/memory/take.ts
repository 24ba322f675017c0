import { LIMITS } from '../core/limits.js';
import type { LeaseRequest } from '../core/ports/consumer.js';
import { FIFO_LANE } from './lanes.js';
import type { QueueState } from './queue-state.js';
import { charged, nextStartAt, startsAllowed } from './rate.js';
import type { Lane, TaskRecord } from './record.js';

/**
 * Starts up to `most` waiting tasks, one at a time: first those of the tenants that the request names, then those of
 * the others it serves. Returns them in order.
 */
export function take(
  queue: QueueState,
  { tenants = [], steal = true }: LeaseRequest,
  most: number,
  now: number,
  start: (record: TaskRecord) => void,
): TaskRecord[] {
  const taking = new Taking(queue, most, now, start);
  if (!queue.isFifo) {
    taking.serveNamed(tenants);
    if (typeof steal !== 'boolean') taking.serveNamed(steal);
  }
  if (queue.isFifo || steal === true) taking.serveAll();
  taking.charge();
  return taking.taken;
}

class Taking {
  readonly taken: TaskRecord[] = [];
  readonly #met = new Set<string>();
  #isFull = false;

  constructor(
    private readonly queue: QueueState,
    private readonly most: number,
    private readonly now: number,
    private readonly start: (record: TaskRecord) => void,
  ) {}

  /** By priority, then by fair shares. */
  serveAll(): void {
    const { queue, now } = this;
    while (!this.#isDone) {
      const level = queue.levels.next(queue.lanes, queue.priorityPolicy, now);
      if (!level) return;
      const ring = queue.lanes.ring(level.priority);
      const lane = { priority: level.priority, tenant: ring.next() ?? '' };
      if (!this.#meet(lane.tenant)) return;
      this.#serve(lane, () => {
        ring.advance(lane.tenant, this.#weightOf(lane.tenant));
        queue.levels.started(level, queue.priorityPolicy);
      });
    }
  }

  /** By priority, then by turns, whoever was served so least recently first. Counts against nobody's share. */
  serveNamed(tenants: readonly string[]): void {
    const { queue } = this;
    while (!this.#isDone) {
      const lane = this.#nextNamed(tenants);
      if (!lane || !this.#meet(lane.tenant)) return;
      let left = this.#weightOf(lane.tenant);
      while (!this.#isDone && left > 0 && queue.lanes.ring(lane.priority).has(lane.tenant)) {
        this.#serve(lane, () => {
          left -= 1;
        });
      }
      if (left < this.#weightOf(lane.tenant)) queue.served(lane.tenant);
    }
  }

  /** Pays for what was started. */
  charge(): void {
    const { queue, now } = this;
    if (queue.settings.rate) queue.tat = charged(queue.settings.rate, queue.tat, now, this.taken.length);
    if (queue.isFifo) return;
    for (const tenant of new Set(this.taken.map(({ task }) => task.tenant))) {
      queue.tenant(tenant).tat = this.#tatOf(tenant);
    }
  }

  get #isDone(): boolean {
    return this.#isFull || this.taken.length >= this.most;
  }

  /** Whether it may be this tenant's turn; if not, the lease ends, having met as many as it may. */
  #meet(tenant: string): boolean {
    this.#isFull ||= this.#met.size === LIMITS.leaseServesTenantsMax && !this.#met.has(tenant);
    this.#met.add(tenant);
    return !this.#isFull;
  }

  #nextNamed(tenants: readonly string[]): Lane | undefined {
    const { lanes } = this.queue;
    for (const priority of lanes.levels) {
      const [tenant] = tenants
        .filter((each) => lanes.ring(priority).has(each))
        .sort((a, b) => this.queue.tenant(a).servedAt - this.queue.tenant(b).servedAt);
      if (tenant !== undefined) return { priority, tenant };
    }
    return undefined;
  }

  /** The head of a lane: it starts, or has expired, or steps aside, or its tenant may start nothing and is parked. */
  #serve(lane: Lane, started: () => void): void {
    const { queue } = this;
    const { lanes } = queue;
    if (this.#allowance(lane.tenant) > 0) {
      const record = lanes.lane(lane).shift();
      if (record && this.#admit(record)) {
        this.start(record);
        this.taken.push(record);
        started();
      }
      lanes.leaveIfEmpty(lane);
    }
    if (lanes.lane(lane).length > 0 && this.#allowance(lane.tenant) <= 0) {
      lanes.park(lane.tenant, this.#parkedUntil(lane.tenant));
    }
  }

  #admit(record: TaskRecord): boolean {
    if (record.mayExpire && (record.task.expiresAt ?? Infinity) <= this.now) {
      this.queue.end(record, 'expired', this.now);
      return false;
    }
    return this.queue.isFifo || this.queue.ordering.claim(record);
  }

  /** How many of its tasks may start now. */
  #allowance(tenant: string): number {
    const { queue, now } = this;
    if (tenant === FIFO_LANE.tenant) return this.#isHeld ? 0 : 1;
    const { rate } = queue.settingsOf(tenant);
    const allowed = rate
      ? startsAllowed(rate, queue.tenant(tenant).tat, now) - this.#takenOf(tenant)
      : Infinity;
    return Math.min(this.#untoldAllowance(tenant), allowed);
  }

  /** The same but for its rate: what no time changes. */
  #untoldAllowance(tenant: string): number {
    const { queue } = this;
    if (tenant === FIFO_LANE.tenant || queue.tenant(tenant).paused) return 0;
    const { concurrency } = queue.settingsOf(tenant);
    return concurrency === undefined ? Infinity : concurrency - queue.running(tenant);
  }

  #parkedUntil(tenant: string): number {
    const { rate } = this.queue.settingsOf(tenant);
    return rate && this.#untoldAllowance(tenant) > 0 ? nextStartAt(rate, this.#tatOf(tenant)) : Infinity;
  }

  /** Of its rate, with what was taken so far. */
  #tatOf(tenant: string): number {
    const { rate } = this.queue.settingsOf(tenant);
    const { tat } = this.queue.tenant(tenant);
    return rate ? charged(rate, tat, this.now, this.#takenOf(tenant)) : tat;
  }

  #takenOf(tenant: string): number {
    return this.taken.filter(({ task }) => task.tenant === tenant).length;
  }

  /** One task of a FIFO queue has started and not ended, and is not the next. */
  get #isHeld(): boolean {
    const { fifoHolder, lanes } = this.queue;
    return fifoHolder !== undefined && lanes.lane(FIFO_LANE)[0] !== fifoHolder;
  }

  #weightOf(tenant: string): number {
    return tenant === FIFO_LANE.tenant ? 1 : (this.queue.settingsOf(tenant).weight ?? 1);
  }
}
