import { TASK_STATES, type Inspector, type QueueOverview } from '@app/queue';
import { cached } from '../http/cached.js';
import { overviews } from '../stats/totals.js';
import type { ApiMetrics } from './http-metrics.js';

/** Queues shown, the first by name: each is nine series. */
const QUEUES_MAX = 200;
const AGE_MS_MAX = 5_000;

/** Keeps the gauges of the queues current, by at most one look at the store every five seconds. */
export function exportQueues(inspector: Inspector, metrics: ApiMetrics): void {
  const tasks = metrics.gauge('queue_tasks');
  const oldest = metrics.gauge('queue_oldest_pending_age_seconds');
  const read = cached(AGE_MS_MAX, async () => {
    const found: QueueOverview[] = [];
    for await (const overview of overviews(inspector, QUEUES_MAX)) found.push(overview);
    return found;
  });
  metrics.onScrape(async () => {
    for (const { queue, states, oldestPendingAgeMs = 0 } of await read()) {
      for (const state of TASK_STATES) tasks.set({ queue, state }, states[state]);
      oldest.set({ queue }, oldestPendingAgeMs / 1_000);
    }
  });
}
