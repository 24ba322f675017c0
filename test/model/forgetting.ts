import { LIMITS, type QueueName } from '@app/queue';
import type { ManualClock } from '@app/queue/testing';
import type { Redis } from 'ioredis';
import { queueKey } from '../../libs/queue/src/redis/keys.js';

/** All that stories name, and the one of submissions that name none. */
export const TENANTS = ['a', 'B', 'c', 'default'] as const;

/**
 * Redis forgets some keys by its own clock, which the manual one does not move: idempotency keys, repeated lease
 * requests, the election, what an idle tenant did. Here they are kept from that clock and forgotten by the manual
 * one. A clock that went back would bring them back to the oracle but not to Redis, so it may not go back past the
 * latest forgetting.
 */
export class Forgetting {
  readonly #until = new Map<string, number>();
  /** Keys of the tenants that have something open. */
  readonly #busy = new Set<string>();
  #forgotAt = -Infinity;
  #wentBack = false;

  constructor(
    private readonly redis: Redis,
    private readonly keyPrefix: string,
    private readonly clock: ManualClock,
  ) {}

  async keepUntil(key: string, until: number): Promise<void> {
    this.#until.set(key, until);
    await this.redis.persist(key);
  }

  remembers(key: string): boolean {
    return this.#until.has(key);
  }

  /** The clock has gone back once. */
  get wentBack(): boolean {
    return this.#wentBack;
  }

  /** To be called after each mutation, since any may leave a tenant without open tasks. */
  async keepIdleTenants(queue: QueueName): Promise<void> {
    const open = await this.redis.zmscore(queueKey(this.keyPrefix, queue, 'tenants'), ...TENANTS);
    for (const [index, tenant] of TENANTS.entries()) {
      const key = queueKey(this.keyPrefix, queue, 'tenant', tenant);
      if (Number(open[index] ?? 0) > 0) {
        this.#busy.add(key);
        this.#until.delete(key);
      } else if (this.#busy.delete(key)) {
        await this.keepUntil(key, this.clock.now() + LIMITS.idleTenantKeptMs);
      }
    }
  }

  /** What idle tenants did outlives their queue in Redis, by a day at most; to the oracle it is gone with it. */
  async forgetTenants(queue: QueueName): Promise<void> {
    for (const tenant of TENANTS) {
      const key = queueKey(this.keyPrefix, queue, 'tenant', tenant);
      this.#until.delete(key);
      await this.redis.del(key);
    }
  }

  async advance(ms: number): Promise<void> {
    if (this.clock.now() + ms < this.#forgotAt) return;
    this.clock.advance(ms);
    this.#wentBack ||= ms < 0;
    for (const [key, until] of this.#until) {
      if (this.clock.now() < until) continue;
      this.#until.delete(key);
      this.#forgotAt = Math.max(this.#forgotAt, until);
      await this.redis.del(key);
    }
  }
}
