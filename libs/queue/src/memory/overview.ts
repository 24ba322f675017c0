import { LIMITS } from '../core/limits.js';
import type { QueueOverview, StateCounts } from '../core/ports/inspector.js';
import { PRIORITIES } from '../core/priority.js';
import type { Priority } from '../core/task.js';
import { dueAt, type QueueState } from './queue-state.js';
import { zeroCounts } from './record.js';

/** A queue's counts, recounted from its tasks. */
export function overview(queue: QueueState, now: number): QueueOverview {
  const states = zeroCounts();
  const priorities = new Map<Priority, StateCounts>(
    Object.values(PRIORITIES).map((priority) => [priority, zeroCounts()]),
  );
  const types = new Map<string, StateCounts>();
  let pendingSince = Infinity;
  for (const record of queue.tasks.values()) {
    const { type, priority, state } = record.task;
    const ofType = types.get(type) ?? zeroCounts();
    types.set(type, ofType);
    for (const counts of [states, ofType, priorities.get(priority)]) if (counts) counts[state] += 1;
    if (state === 'pending') pendingSince = Math.min(pendingSince, record.pendingSince);
  }
  const next = queue.due()[0];
  return {
    queue: queue.name,
    paused: queue.paused,
    draining: queue.draining,
    backlog: queue.backlog(),
    waits: queue.minutes.waits(now),
    states,
    priorities: Object.fromEntries(priorities) as Record<Priority, StateCounts>,
    types: Object.fromEntries([...types].sort(byTasks).slice(0, LIMITS.typesShown)),
    oldestPendingAgeMs: pendingSince === Infinity ? undefined : Math.max(0, now - pendingSince),
    nextDueInMs: next && dueAt(next) - now,
    minutes: queue.minutes.latest(now),
  };
}

function byTasks([, a]: [string, StateCounts], [, b]: [string, StateCounts]): number {
  return total(b) - total(a);
}

function total(counts: StateCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
