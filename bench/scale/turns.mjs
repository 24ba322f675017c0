import { Store } from './store.mjs';
import { completed, fill, QUEUE } from './tasks.mjs';

const FEW = 10;
const MANY_SERVED_BEFORE = 1_000;

/**
 * Of two tenants the one with few tasks does not wait for those of the one with many, whatever that one was served
 * before: its ten start within ten turns, each of which has one task of both.
 */
export async function turns(report, { quick }) {
  const many = quick ? 50_000 : 1_000_000;
  const rows = [];
  for (const max of [1, 100]) {
    const store = await Store.open();
    try {
      await fill(store.queue, many, () => 'many');
      await starts(store.queue, max, MANY_SERVED_BEFORE);
      await fill(store.queue, FEW, () => 'few');
      const order = await starts(store.queue, max, 10 * FEW);
      const turn = order.slice(0, order.lastIndexOf('few')).filter((tenant) => tenant === 'many').length;
      const started = order.filter((tenant) => tenant === 'few').length;
      rows.push({
        name: `leases of ${max}`,
        'started of the ten': started,
        'of the other before the last of them': turn,
        [`<= ${FEW}`]: report.verdict(started === FEW && turn <= FEW),
      });
    } finally {
      await store.close();
    }
  }
  report.title(`Turns: two tenants with ${many.toLocaleString('en')} and ${FEW} waiting tasks`);
  report.table(rows);
}

/** Tenants of the next tasks, at least so many, in order of their starts. */
async function starts(queue, max, count) {
  const order = [];
  while (order.length < count) {
    const { tasks } = await queue.lease({ queue: QUEUE, workerId: 'bench', max, leaseMs: 30_000 });
    order.push(...tasks.map(({ tenant }) => tenant));
    await queue.settle(completed(tasks));
  }
  return order;
}
