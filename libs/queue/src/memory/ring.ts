/**
 * The tenants of one priority that share by start-time fair queueing: each has a virtual time, the lowest is
 * served (the first by name among equals), and each task it is served moves it on by 1 / weight.
 */
export class Ring {
  readonly #times = new Map<string, number>();
  /** Virtual times at which tenants left that are ahead of the ring: coming back must gain them nothing. */
  readonly #resting = new Map<string, number>();
  /** Virtual time at which the task served last started. Who joins starts here: being idle earns nothing either. */
  #time = 0;

  get members(): string[] {
    return [...this.#times.keys()];
  }

  has(tenant: string): boolean {
    return this.#times.has(tenant);
  }

  join(tenant: string): void {
    this.#times.set(tenant, Math.max(this.#time, this.#resting.get(tenant) ?? 0));
    this.#resting.delete(tenant);
  }

  leave(tenant: string): void {
    const time = this.#times.get(tenant);
    if (time === undefined) return;
    this.#times.delete(tenant);
    if (time > this.#time) this.#resting.set(tenant, time);
  }

  /** Whose turn it is. */
  next(): string | undefined {
    let next: [string, number] | undefined;
    for (const [tenant, time] of this.#times) {
      if (!next || time < next[1] || (time === next[1] && tenant < next[0])) next = [tenant, time];
    }
    return next?.[0];
  }

  /** It was served a task in its turn. */
  advance(tenant: string, weight: number): void {
    this.#time = this.#times.get(tenant) ?? this.#time;
    this.#times.set(tenant, this.#time + 1 / weight);
  }
}
