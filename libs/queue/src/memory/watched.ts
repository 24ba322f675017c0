import { LIMITS } from '../core/limits.js';

/** Tenants that workers wait for by name: each for a while after it was last asked for, and not too many. */
export class Watched {
  readonly #askedAt = new Map<string, number>();

  /** False where there are too many: then none is added. */
  add(tenants: readonly string[], now: number): boolean {
    const missing = tenants.filter((tenant) => !this.#askedAt.has(tenant));
    for (const tenant of tenants) if (this.has(tenant)) this.#askedAt.set(tenant, now);
    if (missing.length === 0) return true;
    const silent = [...this.#askedAt].filter(([, askedAt]) => askedAt <= now - LIMITS.watchedMs);
    for (const [tenant] of silent.slice(0, LIMITS.choreTasksMax)) this.#askedAt.delete(tenant);
    if (this.#askedAt.size + missing.length > LIMITS.watchedTenantsMax) return false;
    for (const tenant of missing) this.#askedAt.set(tenant, now);
    return true;
  }

  has(tenant: string): boolean {
    return this.#askedAt.has(tenant);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#askedAt.keys();
  }
}
