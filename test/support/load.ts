import { ended, type TaskBody } from './client.js';

export function batchesOf<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = [];
  for (let from = 0; from < items.length; from += size) batches.push(items.slice(from, from + size));
  return batches;
}

/** Runs the work on each item, at most `width` at once; results in order. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = Array.from({ length: items.length });
  const queue = items.entries();
  const one = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: width }, one));
  return results;
}

/** The tasks, once each of them is in a terminal state. */
export function endedAll(apiUrl: string, ids: readonly string[]): Promise<TaskBody[]> {
  return inParallel(ids, 32, (id) => ended(apiUrl, id));
}
