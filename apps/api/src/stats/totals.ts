import { TASK_STATES, type Inspector, type QueueOverview, type StateCounts } from '@app/queue';

/** Names and overviews asked for at once: a slice costs the store about a millisecond. */
const SLICE_QUEUES = 100;

/** Counts over all queues. */
export interface Totals {
  queues: number;
  states: StateCounts;
  oldestPendingAgeMs?: number;
}

/** Adds up all queues, slice by slice. */
export async function countTotals(inspector: Inspector): Promise<Totals> {
  const totals: Totals = {
    queues: 0,
    states: Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as StateCounts,
  };
  for await (const { states, oldestPendingAgeMs } of overviews(inspector)) {
    totals.queues += 1;
    for (const state of TASK_STATES) totals.states[state] += states[state];
    if (oldestPendingAgeMs !== undefined) {
      totals.oldestPendingAgeMs = Math.max(totals.oldestPendingAgeMs ?? 0, oldestPendingAgeMs);
    }
  }
  return totals;
}

/** The overviews of the first `max` queues in the order of their names. */
export async function* overviews(inspector: Inspector, max = Infinity): AsyncGenerator<QueueOverview> {
  let cursor: string | undefined;
  for (let left = max; left > 0; left -= SLICE_QUEUES) {
    const page = await inspector.queues(Math.min(left, SLICE_QUEUES), cursor);
    for (const overview of await inspector.overview(page.items)) if (overview) yield overview;
    cursor = page.nextCursor;
    if (cursor === undefined) return;
  }
}
