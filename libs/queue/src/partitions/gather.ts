import type { Lease } from '../core/ports/consumer.js';
import type { QueueName } from '../core/task.js';
import { known, least } from './merge.js';
import { shareOf } from './shares.js';

export interface Gathering {
  /** In the order in which they are asked. */
  partitions: readonly QueueName[];
  /** Whose wake token the caller has: asked in any case, if for nothing, so that the token is passed on. */
  heard: ReadonlySet<QueueName>;
  max: number;
  ask: (partition: QueueName, max: number) => Promise<Lease>;
  /** What the first partition gave, where it has been asked already. */
  first?: Lease;
}

/**
 * One lease from several partitions. The first may give all there is to give, since under load it mostly can: then the
 * others cost nothing. If it has too little, the others share what is missing, as many at once as there are tasks to ask
 * for. So there may be less than `max` while one of them has more; then `more` says so.
 *
 * What was taken is returned even where a partition did not answer. Had that one taken something too, those leases run
 * out.
 */
export async function gather({ partitions, heard, max, ask, first }: Gathering): Promise<Lease> {
  const leases: Lease[] = first ? [first] : [];
  let left = first ? partitions.slice(1) : partitions;
  let failure: unknown;
  const askNext = async (width: number, total: number): Promise<void> => {
    const round = left.slice(0, width);
    left = left.slice(width);
    const replies = round.map(async (partition, index) => {
      try {
        return await ask(partition, shareOf(total, index, round.length));
      } catch (error) {
        failure ??= error;
        return undefined;
      }
    });
    for (const lease of await Promise.all(replies)) if (lease) leases.push(lease);
  };
  const missing = () => max - leases.reduce((count, { tasks }) => count + tasks.length, 0);

  if (max > 0 && !first) await askNext(1, max);
  while (missing() > 0 && left.length > 0) await askNext(missing(), missing());
  const unasked = left.filter((partition) => max > 0 && !heard.has(partition));
  const unnamed = [...heard].filter((partition) => !partitions.includes(partition));
  left = [...left.filter((partition) => !unasked.includes(partition)), ...unnamed];
  await askNext(left.length, 0);

  const tasks = leases.flatMap((lease) => lease.tasks);
  if (failure !== undefined && tasks.length === 0) throw failure;
  return {
    tasks,
    // Of those that were not asked nobody knows.
    more: unasked.length > 0 || failure !== undefined || leases.some(({ more }) => more),
    ...known({ nextDueInMs: least(leases.map(({ nextDueInMs }) => nextDueInMs)) }),
  };
}
