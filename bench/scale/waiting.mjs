import { compareSizes } from './sizes.mjs';

/** However many tasks wait, an operation takes the same time. */
export async function waiting(report, { quick }) {
  const counts = quick ? [10, 10_000, 50_000] : [10, 100_000, 1_000_000];
  const sizes = counts.map((count) => ({
    name: `${count.toLocaleString('en')} waiting`,
    waiting: count,
    fillOf: () => 'lone',
  }));
  await compareSizes(report, 'Tasks waiting', sizes, quick ? 30 : 300);
}
