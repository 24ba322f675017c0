import { LIMITS, type QueueName } from '@app/queue';
import type { Pair } from './pair.js';

/** No story leases for longer. */
export const LEASE_MS_MAX = 10_000;

/** No story holds a queue back for longer. */
export const RETRY_AFTER_MS_MAX = 5_000;

/** To the next due time or lease deadline, or near it; never back. */
export async function advanceToNext(
  pair: Pair,
  queue: QueueName,
  edge: 'due' | 'deadline',
  ms: number,
): Promise<void> {
  const states = edge === 'due' ? (['scheduled', 'retrying'] as const) : (['running'] as const);
  const lists = await Promise.all(
    states.map((state) => pair.ideal.list({ queue, state, order: 'oldest', limit: 1 })),
  );
  const times = lists.flatMap(({ items }) => items.map((task) => task.dueAt ?? task.leaseExpiresAt ?? 0));
  if (times.length > 0) await advanceTo(pair, Math.min(...times) + ms);
}

/** Never back. */
export async function advanceTo({ clock, forgetting }: Pair, time: number): Promise<void> {
  if (time > clock.now()) await forgetting.advance(time - clock.now());
}

/** Lets all leases lapse and reaps them, without a gap in reaping. */
export async function loseLeases(pair: Pair, queue: QueueName): Promise<void> {
  const reap = () => pair.change('reap', (each) => each.reap(queue));
  await reap();
  for (let passed = 0; passed < LEASE_MS_MAX; passed += LIMITS.reapGapMs) {
    await pair.forgetting.advance(LIMITS.reapGapMs);
    await reap();
  }
}
