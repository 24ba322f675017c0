import type { IQueueBackend } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import type { QueueOverview, StateCounts } from '../core/ports/inspector.js';
import { type Priority, type QueueName, TASK_STATES } from '../core/task.js';
import { saysDraining } from './draining.js';
import { firstDueAt } from './due.js';
import { bullPriority } from './job-options.js';

const PRIORITIES: readonly Priority[] = [1, 2, 3, 4, 5, 6];

/**
 * What BullMQ counts. Delayed jobs are one number, whether they failed before or not: they count as `scheduled`, as those do
 * that wait for their children. Priorities are counted of what waits. The rest (`statistics`) is not there, and zero.
 */
export async function overviewOf(
  backend: IQueueBackend,
  queue: QueueName,
  { isListed, cancelled }: { isListed: boolean; cancelled: number },
): Promise<QueueOverview | undefined> {
  const [counts, byPriority, meta] = await Promise.all([
    backend.getCounts([
      'wait',
      'prioritized',
      'delayed',
      'waiting-children',
      'active',
      'completed',
      'failed',
    ]),
    backend.getCountsPerPriority(PRIORITIES.map(bullPriority)),
    backend.getQueueMeta(),
  ]);
  const [wait = 0, prioritized = 0, delayed = 0, children = 0, active = 0, completed = 0, failed = 0] =
    counts;
  if (!isListed && counts.every((count) => !count) && Object.keys(meta).length === 0) return undefined;
  const states: StateCounts = {
    ...none(),
    pending: wait + prioritized,
    scheduled: delayed + children,
    running: active,
    completed,
    failed,
    cancelled,
  };
  const nextDueAt = delayed > 0 ? await firstDueAt(backend) : undefined;
  return {
    queue,
    paused: meta.paused === '1',
    draining: saysDraining(meta),
    backlog: states.pending + states.scheduled,
    waits: Array.from({ length: LIMITS.waitBoundsMs.length + 1 }, () => 0),
    states,
    priorities: prioritiesOf(wait, prioritized, byPriority),
    types: {},
    nextDueInMs: nextDueAt === undefined ? undefined : nextDueAt - Date.now(),
    minutes: [],
  };
}

/** Jobs without a priority are shown with the highest, those beyond ours with the lowest. */
function prioritiesOf(
  wait: number,
  prioritized: number,
  counts: readonly number[],
): Record<Priority, StateCounts> {
  const beyond = prioritized - counts.reduce((sum, count) => sum + count, 0);
  const pendingOf = (priority: Priority, index: number) =>
    (counts[index] ?? 0) + (priority === 6 ? wait : 0) + (priority === 1 ? Math.max(0, beyond) : 0);
  return Object.fromEntries(
    PRIORITIES.map((priority, index) => [priority, { ...none(), pending: pendingOf(priority, index) }]),
  ) as Record<Priority, StateCounts>;
}

function none(): StateCounts {
  return Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as StateCounts;
}
