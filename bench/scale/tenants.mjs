import { compareSizes } from './sizes.mjs';

const NAMED = 'tenant-0';
/** Waiting tasks of each where there are most: a task that is its tenant's only one opens a lane and closes it again. */
const TASKS_EACH = 10;

/**
 * However many tenants have tasks waiting, an operation takes the same time: on tasks of one of them, and on tasks of
 * all in turn. A batch of 100 tasks of 100 tenants is more work than one of 100 tasks of the only tenant, so such batches
 * are compared from 100 tenants on.
 */
export async function tenants(report, { quick }) {
  const counts = quick ? [1, 100, 1_000, 10_000] : [1, 100, 1_000, 100_000];
  const sizes = counts.map((count) => ({
    name: `${count.toLocaleString('en')} tenants`,
    waiting: counts.at(-1) * TASKS_EACH,
    fillOf: (n) => `tenant-${n % count}`,
  }));
  const cycles = quick ? 30 : 300;
  const named = { tenantOf: () => NAMED, only: { tenants: [NAMED], steal: false } };
  await compareSizes(
    report,
    'Tenants, tasks of one',
    sizes.map((size) => ({ ...size, ...named })),
    cycles,
    ofOneTenant,
  );
  await compareSizes(report, 'Tenants, tasks of all', sizes, cycles, ofAllTenants);
}

function ofOneTenant(operation) {
  return operation === 'tenants 100' ? 1 : 0;
}

function ofAllTenants(operation) {
  return / 100\b/.test(operation) ? 1 : 0;
}
