import type { ManualClock } from '@app/queue/testing';
import type { Redis } from 'ioredis';

/**
 * Redis forgets some keys by its own clock, which the manual one does not move: idempotency keys, repeated lease
 * requests, the election. Here they are kept from that clock and forgotten by the manual one. A clock that went
 * back would bring them back to the oracle but not to Redis, so it may not go back past the latest forgetting.
 */
export class Forgetting {
  readonly #until = new Map<string, number>();
  #forgotAt = -Infinity;

  constructor(
    private readonly redis: Redis,
    private readonly clock: ManualClock,
  ) {}

  async keepUntil(key: string, until: number): Promise<void> {
    this.#until.set(key, until);
    await this.redis.persist(key);
  }

  remembers(key: string): boolean {
    return this.#until.has(key);
  }

  async advance(ms: number): Promise<void> {
    if (this.clock.now() + ms < this.#forgotAt) return;
    this.clock.advance(ms);
    for (const [key, until] of this.#until) {
      if (this.clock.now() < until) continue;
      this.#until.delete(key);
      this.#forgotAt = Math.max(this.#forgotAt, until);
      await this.redis.del(key);
    }
  }
}
