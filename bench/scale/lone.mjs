import { median, spread } from './report.mjs';
import { Store } from './store.mjs';
import { drain, fill } from './tasks.mjs';

const RATIO_MIN = 0.9;

/** A tenant that is alone is served as fast as a queue is whose tasks name no tenant. */
export async function lone(report, { quick }) {
  const [count, rounds] = quick ? [10_000, 3] : [50_000, 7];
  const kinds = {
    'no tenant': () => undefined,
    'a lone tenant': () => 'lone',
    '1,000 tenants': (n) => `tenant-${n % 1_000}`,
  };
  const rates = {};
  const store = await Store.open();
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const [kind, tenantOf] of Object.entries(kinds)) {
        await store.clear();
        await fill(store.queue, count, tenantOf);
        const startedMs = performance.now();
        const drained = await drain(store.queue, 'bench');
        if (drained !== count) throw new Error(`drained ${drained} of ${count}`);
        (rates[kind] ??= []).push((count / (performance.now() - startedMs)) * 1_000);
      }
    }
  } finally {
    await store.close();
  }
  print(report, count, rates);
}

function print(report, count, rates) {
  report.title(`Lone tenant: tasks a second, draining ${count.toLocaleString('en')} in leases of 100`);
  report.table(
    Object.entries(rates).map(([kind, values]) => {
      const ratio = median(values) / median(rates['no tenant']);
      return {
        name: kind,
        'min / median / max': spread(values),
        ratio: ratio.toFixed(2),
        [`>= ${RATIO_MIN}`]: kind === 'a lone tenant' ? report.verdict(ratio >= RATIO_MIN) : '',
      };
    }),
  );
}
