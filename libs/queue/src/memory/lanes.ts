import { HIGHEST_PRIORITY, LOWEST_PRIORITY } from '../core/priority.js';
import type { Lane, TaskRecord } from './record.js';
import { Ring } from './ring.js';

/** The one lane of a queue in FIFO mode; its tenant is nobody's name. */
export const FIFO_LANE: Lane = { priority: 3, tenant: '~' };

/**
 * Where pending tasks wait: one lane per priority and tenant. A tenant is in the ring of each priority in which its
 * lane has something, unless it is parked: then it may start nothing, and is in none.
 */
export class Lanes {
  readonly #lanes = new Map<number, Map<string, TaskRecord[]>>();
  readonly #rings = new Map<number, Ring>();
  /** Until when; `Infinity` until it is told. */
  readonly #parked = new Map<string, number>();

  /** `joined` is told of each tenant that enters a ring. */
  constructor(private readonly joined: (tenant: string) => void) {}

  append(record: TaskRecord): void {
    this.lane(record.lane).push(record);
    this.#join(record.lane);
  }

  prepend(record: TaskRecord): void {
    this.lane(record.lane).unshift(record);
    this.#join(record.lane);
  }

  /** Takes a task out of turn, if it is here. */
  remove(record: TaskRecord): void {
    const lane = this.lane(record.lane);
    const index = lane.indexOf(record);
    if (index < 0) return;
    lane.splice(index, 1);
    this.leaveIfEmpty(record.lane);
  }

  lane({ priority, tenant }: Lane): TaskRecord[] {
    let lanes = this.#lanes.get(priority);
    if (!lanes) this.#lanes.set(priority, (lanes = new Map()));
    let lane = lanes.get(tenant);
    if (!lane) lanes.set(tenant, (lane = []));
    return lane;
  }

  ring(priority: number): Ring {
    let ring = this.#rings.get(priority);
    if (!ring) this.#rings.set(priority, (ring = new Ring()));
    return ring;
  }

  leaveIfEmpty(lane: Lane): void {
    if (this.lane(lane).length === 0) this.ring(lane.priority).leave(lane.tenant);
  }

  /** Priorities in which somebody may be served, the highest first. */
  get levels(): number[] {
    return PRIORITIES.filter((priority) => this.ring(priority).members.length > 0);
  }

  /** Nobody may be served. */
  get isIdle(): boolean {
    return this.levels.length === 0;
  }

  isInRing(tenant: string): boolean {
    return PRIORITIES.some((priority) => this.ring(priority).has(tenant));
  }

  /** When the first of the tasks at the heads of a level became pending. */
  oldestIn(priority: number): number {
    const heads = this.ring(priority).members.map((tenant) => this.lane({ priority, tenant })[0]);
    return Math.min(...heads.map((head) => head?.pendingSince ?? Infinity));
  }

  /** The same of a tenant; `Infinity` where none of its lanes has a task. */
  oldestOf(tenant: string): number {
    const heads = PRIORITIES.map((priority) => this.lane({ priority, tenant })[0]);
    return Math.min(...heads.map((head) => head?.pendingSince ?? Infinity));
  }

  /** Takes a tenant out of all rings until a time, or with `Infinity` until it is told. */
  park(tenant: string, until: number): void {
    for (const priority of PRIORITIES) this.ring(priority).leave(tenant);
    this.#parked.set(tenant, until);
  }

  /** Whether it may start something is seen when its turn comes. */
  rejoin(tenant: string): void {
    if (!this.#parked.delete(tenant)) return;
    for (const priority of PRIORITIES) this.#join({ priority, tenant });
  }

  /** What it waited to be told has happened. */
  tell(tenant: string): void {
    if (this.#parked.get(tenant) === Infinity) this.rejoin(tenant);
  }

  rejoinDue(now: number): void {
    for (const [tenant, until] of [...this.#parked]) if (until <= now) this.rejoin(tenant);
  }

  rejoinAll(): void {
    this.rejoinDue(Infinity);
  }

  /** When the next parked tenant rejoins by itself. */
  get nextRejoinAt(): number {
    return Math.min(...this.#parked.values());
  }

  #join(lane: Lane): void {
    const ring = this.ring(lane.priority);
    if (this.lane(lane).length === 0 || this.#parked.has(lane.tenant) || ring.has(lane.tenant)) return;
    ring.join(lane.tenant);
    this.joined(lane.tenant);
  }
}

const PRIORITIES = Array.from(
  { length: HIGHEST_PRIORITY - LOWEST_PRIORITY + 1 },
  (_, index) => HIGHEST_PRIORITY - index,
);
