import { type Queue, type QueueName, TASK_STATES, type Task, type TaskId } from '@app/queue';
import { checkInvariants, listAll } from '@app/queue/testing';
import type { Pair } from './pair.js';
import { checkStructure } from './structure.js';

const ORDERS = ['oldest', 'newest'] as const;
/** Small, so that lists have several. */
const PAGE = 7;

/** Everything a reader sees at a glance. */
export async function observe(pair: Pair, queue: QueueName, ids: readonly TaskId[]): Promise<void> {
  await Promise.all([
    pair.ask('get', (each) => each.get(ids)),
    pair.ask(
      `overview ${queue}`,
      (each) => each.overview([queue]),
      /*
       * Redis knows the age of the oldest pending task by the heads of its lanes. It is another task's age while
       * a head has ended and was not passed over yet, and where leases were given back in another order than
       * taken. That there is none is exact.
       */
      ([overview]) =>
        overview && { ...overview, oldestPendingAgeMs: overview.oldestPendingAgeMs === undefined },
    ),
    pair.ask(
      `list ${queue}`,
      (each) => each.list({ queue, order: 'oldest', limit: 1_000, full: true }),
      page,
    ),
    pair.ask(`list ${queue} newest`, (each) => each.list({ queue, order: 'newest', limit: 1_000 }), page),
  ]);
}

/** Every list, page by page, all logs, and what must be true of one side alone. */
export async function inspect(pair: Pair, queue: QueueName, ids: readonly TaskId[]): Promise<void> {
  const query = { queue, limit: PAGE };
  const lists = ORDERS.flatMap((order) =>
    [undefined, ...TASK_STATES].map((state) => ({ ...query, state, order })),
  );
  const filtered = ORDERS.map((order) => ({ ...query, tenant: 'a', type: 'one', order }));
  await Promise.all(
    [...lists, ...filtered].map((each) =>
      pair.ask(JSON.stringify(each), (backend) => listAll(backend, each)),
    ),
  );
  await pair.ask('logs', (each) => Promise.all(ids.map((id) => each.logs(id))));
  await checkInvariants(pair.real, queue);
  await checkStructure(pair.store, queue, await listAll(pair.real, { queue }));
}

/** A page that ends where the list does may not know it. */
function page({ items }: Awaited<ReturnType<Queue['list']>>): Task[] {
  return items;
}
