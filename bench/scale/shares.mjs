import { crew } from './crew.mjs';
import { Store } from './store.mjs';
import { fill, QUEUE } from './tasks.mjs';

const WEIGHTS = { one: 1, two: 2, four: 4 };
const OFF_MAX = 0.02;

/** Tenants get shares by weight, whichever of eight workers in two processes serves them. */
export async function shares(report, { quick }) {
  const starts = quick ? 2_000 : 10_000;
  const store = await Store.open();
  try {
    for (const [tenant, weight] of Object.entries(WEIGHTS)) {
      await store.queue.configureTenant(QUEUE, tenant, { weight });
    }
    const names = Object.keys(WEIGHTS);
    await fill(store.queue, names.length * starts, (n) => names[n % names.length]);
    const answers = await crew({ job: 'shares', port: store.port, starts });
    print(report, starts, answers);
  } finally {
    await store.close();
  }
}

function print(report, starts, answers) {
  const sum = Object.values(WEIGHTS).reduce((total, weight) => total + weight);
  report.title(`Shares: ${starts.toLocaleString('en')} starts by 8 workers in 2 processes, weights 1:2:4`);
  report.table(
    Object.entries(WEIGHTS).map(([tenant, weight]) => {
      const started = answers.reduce((total, counts) => total + (counts[tenant] ?? 0), 0);
      const due = (starts * weight) / sum;
      const off = Math.abs(started - due) / due;
      return {
        name: `weight ${weight}`,
        starts: started,
        due: Math.round(due),
        'off by %': (off * 100).toFixed(2),
        [`<= ${OFF_MAX * 100}`]: report.verdict(off <= OFF_MAX),
      };
    }),
  );
}
