import { HIGHEST_PRIORITY, LOWEST_PRIORITY } from '../core/priority.js';
import type { TaskRecord } from './record.js';

/**
 * Where pending tasks wait: one lane per priority and tenant, first in, first out. Inside a priority the
 * tenants share by start-time fair queueing: each has a virtual time, the lowest is served (the first by name
 * among equals), and each task it is served moves it on by 1 / weight. A lease of many orders as many of one.
 */
export class Lanes {
  readonly #rings = new Map<number, Ring>();
  readonly #weights = new Map<string, number>();

  setWeight(tenant: string, weight: number): void {
    this.#weights.set(tenant, weight);
  }

  append(record: TaskRecord): void {
    this.#laneOf(record).push(record);
  }

  prepend(record: TaskRecord): void {
    this.#laneOf(record).unshift(record);
  }

  /** Takes a task out of turn, if it is here. */
  remove(record: TaskRecord): void {
    this.#ring(record.task.priority).remove(record);
  }

  get isEmpty(): boolean {
    return [...this.#rings.values()].every((ring) => ring.isEmpty);
  }

  /** Takes the next `max` tasks that `admit` accepts; those it does not are gone from the lanes as well. */
  take(max: number, admit: (record: TaskRecord) => boolean): TaskRecord[] {
    const taken: TaskRecord[] = [];
    for (let priority = HIGHEST_PRIORITY; priority >= LOWEST_PRIORITY; priority -= 1) {
      const ring = this.#ring(priority);
      while (taken.length < max && !ring.isEmpty) {
        taken.push(...ring.serve(max - taken.length, (tenant) => this.#weights.get(tenant) ?? 1, admit));
      }
    }
    return taken;
  }

  #laneOf(record: TaskRecord): TaskRecord[] {
    return this.#ring(record.task.priority).lane(record.task.tenant);
  }

  #ring(priority: number): Ring {
    let ring = this.#rings.get(priority);
    if (!ring) this.#rings.set(priority, (ring = new Ring()));
    return ring;
  }
}

/** The tenants of one priority. */
class Ring {
  readonly #members = new Map<string, { lane: TaskRecord[]; time: number }>();
  /** Virtual times at which tenants left that are ahead of the ring: coming back must gain them nothing. */
  readonly #resting = new Map<string, number>();
  /** Virtual time at which the task served last started. Who joins starts here: being idle earns nothing either. */
  #time = 0;

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** The tenant's lane, about to be added to if it is empty. */
  lane(tenant: string): TaskRecord[] {
    let member = this.#members.get(tenant);
    if (!member) {
      member = { lane: [], time: Math.max(this.#time, this.#resting.get(tenant) ?? 0) };
      this.#members.set(tenant, member);
      this.#resting.delete(tenant);
    }
    return member.lane;
  }

  remove(record: TaskRecord): void {
    const { tenant } = record.task;
    const lane = this.#members.get(tenant)?.lane;
    const index = lane?.indexOf(record) ?? -1;
    if (index < 0) return;
    lane?.splice(index, 1);
    this.#leaveIfEmpty(tenant);
  }

  /** One turn: the tenant furthest behind, until the next one is no longer ahead of it. */
  serve(
    max: number,
    weightOf: (tenant: string) => number,
    admit: (record: TaskRecord) => boolean,
  ): TaskRecord[] {
    const [first, second] = [...this.#members].sort(byTimeThenTenant);
    if (!first) return [];
    const [tenant, member] = first;
    const step = 1 / weightOf(tenant);
    const end = second ? second[1].time : Infinity;
    const served: TaskRecord[] = [];
    do {
      const record = member.lane.shift();
      if (!record) break;
      if (!admit(record)) continue;
      served.push(record);
      this.#time = member.time;
      member.time += step;
    } while (served.length < max && member.time < end);
    this.#leaveIfEmpty(tenant);
    return served;
  }

  #leaveIfEmpty(tenant: string): void {
    const member = this.#members.get(tenant);
    if (!member || member.lane.length > 0) return;
    this.#members.delete(tenant);
    if (member.time > this.#time) this.#resting.set(tenant, member.time);
  }
}

type Member = [tenant: string, { time: number }];

function byTimeThenTenant([tenantA, a]: Member, [tenantB, b]: Member): number {
  return a.time - b.time || (tenantA < tenantB ? -1 : 1);
}
