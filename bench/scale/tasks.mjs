export const QUEUE = 'bench';
export const BATCH = 100;

const FILL_BATCH = 1_000;
const payload = JSON.stringify({ text: 'x'.repeat(138) });

export function newTask(tenant, more) {
  return { queue: QUEUE, type: 'noop', payload, tenant, ...more };
}

/** Stores `count` tasks, of each tenant in turn. */
export async function fill(queue, count, tenantOf) {
  for (let stored = 0; stored < count; stored += FILL_BATCH) {
    const length = Math.min(FILL_BATCH, count - stored);
    await queue.enqueue(Array.from({ length }, (_, i) => newTask(tenantOf(stored + i))));
  }
}

/** Leases and completes until nothing waits; returns how many there were. */
export async function drain(queue, workerId) {
  const request = { queue: QUEUE, workerId, max: BATCH, leaseMs: 30_000 };
  let count = 0;
  let lease = await queue.lease(request);
  while (lease.tasks.length > 0) {
    count += lease.tasks.length;
    ({ lease } = await queue.settle(completed(lease.tasks), request));
  }
  return count;
}

export function completed(tasks) {
  return tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' }));
}
