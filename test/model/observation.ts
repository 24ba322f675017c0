import {
  pagesOf,
  type Queue,
  type QueueName,
  TASK_STATES,
  type Task,
  type TaskId,
  type TenantOverview,
} from '@app/queue';
import { checkInvariants, listAll } from '@app/queue/testing';
import { TENANTS } from './forgetting.js';
import { compareHistories } from './histories.js';
import { hasLeftovers } from './lanes.js';
import type { Pair } from './pair.js';
import { WORKERS } from './registrations.js';
import { checkStructure } from './structure.js';

const ORDERS = ['oldest', 'newest'] as const;
/** Small, so that lists have several. */
const PAGE = 7;

/** Everything a reader sees at a glance. */
export async function observe(pair: Pair, queue: QueueName): Promise<void> {
  const [, , tenants] = await Promise.all([
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
    pair.ask(
      `tenants of ${queue}`,
      (each) => each.tenants(queue, 1_000),
      ({ items }) => items.map((tenant) => shown(pair, tenant)),
    ),
  ]);
  await pair.ask(`activity in ${queue}`, (each) => each.activity(queue, WORKERS));
  const [real, ideal] = tenants.map(({ items }) => items);
  if (real && ideal) await compareAges(pair, queue, real, ideal);
}

/** Every list, page by page, all logs and events, and what must be true of one side alone. */
export async function inspect(pair: Pair, queue: QueueName, ids: readonly TaskId[]): Promise<void> {
  const query = { queue, limit: PAGE };
  const lists = ORDERS.flatMap((order) =>
    [undefined, ...TASK_STATES].map((state) => ({ ...query, state, order })),
  );
  const filtered = ORDERS.map((order) => ({ ...query, tenant: 'a', type: 'one', order }));
  await Promise.all([
    pair.ask('get', (each) => each.get(ids)),
    ...[...lists, ...filtered].map((each) =>
      pair.ask(JSON.stringify(each), (backend) => listAll(backend, each)),
    ),
    pair.ask(`list ${queue} newest`, (each) => each.list({ queue, order: 'newest', limit: 1_000 }), page),
    pair.ask(`pages of tenants of ${queue}`, (each) => tenantsByPages(each, queue)),
    ...TENANTS.map((tenant) =>
      pair.ask(
        tenant,
        (each) => each.tenant(queue, tenant),
        (overview) => shown(pair, overview),
      ),
    ),
    ...WORKERS.map((worker) =>
      pair.ask(
        `leased by ${worker}`,
        (each) => each.leased(queue, worker, 1_000),
        (tasks) => tasks.map(({ id }) => id).sort(),
      ),
    ),
    pair.ask('settings', (each) => each.settings(queue)),
    pair.ask('logs', (each) => Promise.all(ids.map((id) => each.logs(id)))),
  ]);
  await compareHistories(pair, queue, ids);
  await checkInvariants(pair.real, queue);
  await checkStructure(pair.store, queue, await listAll(pair.real, { queue }));
}

/** The age of the head of a lane is another task's while that head has ended and was not passed over yet. */
async function compareAges(
  { real, store }: Pair,
  queue: QueueName,
  given: readonly TenantOverview[],
  expected: readonly TenantOverview[],
): Promise<void> {
  const ages = (tenants: readonly TenantOverview[]) => tenants.map((each) => each.oldestPendingAgeMs);
  if (ages(given).join() === ages(expected).join()) return;
  if (await hasLeftovers(store, queue, await listAll(real, { queue }))) return;
  expect({ tenants: queue, ages: ages(given) }).toEqual({ tenants: queue, ages: ages(expected) });
}

/** Without the age, and without the starts by minutes where these came twice: Redis knows two of them only. */
function shown({ forgetting }: Pair, tenant: TenantOverview) {
  const minutes = forgetting.wentBack ? { startedThisMinute: 0, startedLastMinute: 0 } : {};
  return { ...tenant, ...minutes, oldestPendingAgeMs: undefined };
}

/** A page that ends where the list does may not know it. */
function page({ items }: Awaited<ReturnType<Queue['list']>>): Task[] {
  return items;
}

async function tenantsByPages(backend: Queue, queue: QueueName): Promise<string[]> {
  const names: string[] = [];
  for await (const tenants of pagesOf((cursor) => backend.tenants(queue, 2, cursor)))
    names.push(...tenants.map(({ tenant }) => tenant));
  return names;
}
