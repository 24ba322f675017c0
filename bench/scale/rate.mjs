import { crew } from './crew.mjs';
import { median } from './report.mjs';
import { Store } from './store.mjs';
import { fill, QUEUE } from './tasks.mjs';

const SECOND_MS = 1_000;
const SECONDS = 10;
const LIMIT = 100;
const OFF_MAX = 2;

/** A rate limit is used up and kept by eight runners in two processes, however many slots are free. */
export async function rate(report) {
  const store = await Store.open();
  try {
    await store.queue.configure(QUEUE, { rate: { limit: LIMIT, perMs: SECOND_MS } });
    await fill(store.queue, 2 * LIMIT * SECONDS, () => 'lone');
    const answers = await crew({ job: 'rate', port: store.port, ms: (SECONDS + 3) * SECOND_MS });
    print(report, answers.flat());
  } finally {
    await store.close();
  }
}

function print(report, startedAt) {
  // Not the first second: it has the burst, and the processes are starting.
  const from = Math.min(...startedAt) + SECOND_MS;
  const counts = Array.from(
    { length: SECONDS },
    (_, second) => startedAt.filter((at) => Math.floor((at - from) / SECOND_MS) === second).length,
  );
  const mean = counts.reduce((total, count) => total + count) / SECONDS;
  report.title(`Rate: starts a second over ${SECONDS} s by 8 runners in 2 processes, limit ${LIMIT}/s`);
  report.table([
    {
      name: 'starts a second',
      min: Math.min(...counts),
      median: median(counts),
      max: Math.max(...counts),
      mean: mean.toFixed(1),
      [`mean ${LIMIT - OFF_MAX} to ${LIMIT + OFF_MAX}`]: report.verdict(Math.abs(mean - LIMIT) <= OFF_MAX),
    },
  ]);
}
