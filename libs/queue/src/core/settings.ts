import type { Priority } from './task.js';

/*
 * What an operator decides about a queue and its tenants. Kept beside the tasks and read by every script that
 * needs it, so that a change holds for all workers from the next call on. What is absent has its default.
 */

/** Starts per time: `limit` in every `perMs`, evenly, with at most `burst` at once after a pause. */
export interface Rate {
  /** 1 to `LIMITS.rateMax`. */
  limit: number;
  /** 1 to `LIMITS.ratePerMsMax`. */
  perMs: number;
  /** Default: a tenth of a second's worth, at least 1 (`defaultBurst`). */
  burst?: number;
}

/** What a tenant may do in one queue. */
export interface TenantSettings {
  /** Its share is in proportion to its weight, 1 (the default) to `LIMITS.weightMax`. */
  weight?: number;
  /** At most so many of its tasks run at once. Default: no limit. */
  concurrency?: number;
  /** Default: no limit. */
  rate?: Rate;
  /** At most so many of its tasks wait; more are refused with `backlog-full`. Default: no limit. */
  backlog?: number;
}

/** Which priority goes next. */
export type PriorityPolicy =
  /**
   * The highest that has something, but of two starts one goes to the priority whose oldest task has waited longest
   * beyond its bound, in ms; null for no bound. Default: `LIMITS.maxWaitMsByPriority`.
   */
  | { policy: 'strict'; maxWaitMs?: Partial<Record<Priority, number | null>> }
  /** All of them, in proportion to their weights. Default: `LIMITS.weightByPriority`. */
  | { policy: 'weighted'; weights?: Partial<Record<Priority, number>> }
  /** Priorities mean nothing: tasks wait as if all were of one. Holds for tasks that become pending from then on. */
  | { policy: 'off' };

export interface QueueSettings {
  /**
   * `fair`, the default: tenants share, priorities matter. `fifo`: one task after the other, in the order in which
   * they become pending, whatever their tenant and priority; one that is to be retried holds the others up until it
   * ends. Can be changed only while nothing waits or runs.
   */
  mode?: 'fair' | 'fifo';
  /** Default: strict. */
  priority?: PriorityPolicy;
  /** At most so many tasks run at once. Default: no limit. */
  concurrency?: number;
  /** Default: no limit. */
  rate?: Rate;
  /** At most so many tasks wait; more are refused with `backlog-full`. Default: no limit. */
  backlog?: number;
  /** For every tenant, where it has no setting of its own. */
  tenants?: TenantSettings;
  /**
   * Parts over which the queue is spread, 1 (the default) to `LIMITS.partitionsMax`. Can be raised while nothing waits or
   * runs, never lowered; absent leaves it as it is.
   */
  partitions?: number;
}

export function defaultBurst({ limit, perMs }: Rate): number {
  return Math.max(1, Math.ceil((limit / perMs) * 100));
}

/** When a place in a full backlog may be free, by how many tasks started in the last whole minute. */
export function retryAfterOf(startedLastMinute: number): number {
  if (startedLastMinute === 0) return 10_000;
  return Math.min(60_000, Math.max(1_000, Math.ceil(60_000 / startedLastMinute)));
}

/** A tenant's own settings with what they leave to the queue's. */
export function effectiveSettings(queue: QueueSettings, tenant: TenantSettings): TenantSettings {
  return { weight: 1, ...queue.tenants, ...tenant };
}
