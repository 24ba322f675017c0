import { LIMITS, pagesOf, type RegisteredWorker, type Registry } from '@app/queue';
import { cached } from '../http/cached.js';
import type { ApiMetrics } from './http-metrics.js';

const AGE_MS_MAX = 5_000;
const STATES = ['working', 'quiet', 'terminating'] as const;

/** Keeps the number of registered workers current, by at most one look at the store every five seconds. */
export function exportWorkers(registry: Registry, metrics: ApiMetrics): void {
  const workers = metrics.gauge('workers');
  const read = cached(AGE_MS_MAX, async () => {
    const found: RegisteredWorker[] = [];
    const page = (cursor?: string) => registry.workers({ limit: LIMITS.listLimitMax, cursor });
    for await (const items of pagesOf(page)) found.push(...items);
    return found.map(stateOf);
  });
  metrics.onScrape(async () => {
    const states = await read();
    for (const state of STATES) workers.set({ state }, states.filter((each) => each === state).length);
  });
}

function stateOf({ command }: RegisteredWorker): (typeof STATES)[number] {
  if (command === 'terminate') return 'terminating';
  return command ?? 'working';
}
