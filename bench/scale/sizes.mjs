import { BenchClock, Operations } from './operations.mjs';
import { median, spread } from './report.mjs';
import { SLOW_US, Store } from './store.mjs';
import { fill } from './tasks.mjs';

/** Between the sizes the time of an operation may differ by no more. */
const RATIO_MAX = 1.5;
const WARM_UP_CYCLES = 5;
/** As many calls in all as of all batches of 100. */
const FIXED_WORK_PER_CYCLE = 10;

/**
 * @typedef {object} Size
 * @property {string} name
 * @property {number} waiting tasks
 * @property {(n: number) => string} fillOf tenant of the n-th of them
 * @property {(n: number) => string} [tenantOf] the same of the tasks of the operations; default: as they wait
 * @property {object} [only] part of a lease request: whom to serve
 */

/**
 * The same operations at several sizes, each on a server of its own, in turns, so that what disturbs the machine disturbs
 * all of them.
 *
 * @param {Size[]} sizes smallest first
 * @param {(operation: string) => number} [comparedFrom] index of the first size at which an operation has the same work to
 *   do as at the largest
 */
export async function compareSizes(report, title, sizes, cycles, comparedFrom = () => 0) {
  const places = [];
  const fixedTimes = [];
  try {
    for (const size of sizes) places.push(await openPlace(size));
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      for (let turn = 0; turn < places.length; turn += 1) {
        await places[(cycle + turn) % places.length].operations.cycle();
      }
      for (let call = 0; call < FIXED_WORK_PER_CYCLE; call += 1)
        fixedTimes.push(await places.at(-1).store.fixedWork());
    }
    printTimes(report, title, places, comparedFrom);
    const largest = places.at(-1);
    await largest.operations.finish(Math.ceil(cycles / 10));
    await printSlow(report, title, largest, fixedTimes);
  } finally {
    for (const { store } of places) await store.close();
  }
}

async function openPlace({ name, waiting, fillOf, tenantOf = fillOf, only }) {
  const clock = new BenchClock();
  const store = await Store.open(clock);
  await fill(store.queue, waiting, fillOf);
  const operations = new Operations(store, clock, tenantOf, only);
  // Also so that there are finished tasks for what looks at some.
  for (let cycle = 0; cycle < WARM_UP_CYCLES; cycle += 1) await operations.cycle();
  operations.times = {};
  operations.scriptTimes = {};
  await store.watchSlow();
  return { name, store, operations };
}

function printTimes(report, title, places, comparedFrom) {
  report.title(`${title}: µs of Redis per call, min / median / max; the largest median by the smallest`);
  const rows = Object.keys(places[0].operations.times).map((operation) => {
    const times = places.map(({ operations }) => operations.times[operation]);
    const medians = times.map(median);
    const from = comparedFrom(operation);
    const ratio = ratioOf(medians.slice(from));
    return {
      name: operation,
      ...Object.fromEntries(places.map(({ name }, i) => [name, spread(times[i])])),
      ratio: ratio.toFixed(2) + (from > 0 ? ` (of all ${ratioOf(medians).toFixed(2)})` : ''),
      [`<= ${RATIO_MAX}`]: report.verdict(ratio <= RATIO_MAX),
    };
  });
  report.table(rows);
}

async function printSlow(report, title, { name, store, operations }, fixedTimes) {
  const { endTimes, scriptTimes } = operations;
  report.title(`${title}: slices at ${name}, µs of Redis per call, min / median / max`);
  report.table(Object.entries(endTimes).map(([operation, us]) => ({ name: operation, us: spread(us) })));
  const rows = Object.entries(scriptTimes)
    .map(([operation, us]) => slowOf(operation, us, fixedTimes))
    .filter(({ slow }) => slow > 0);
  const holds = rows.every(({ slow, machine }) => slow <= machine);
  report.title(
    `${title}: over ${SLOW_US} µs at ${name}, more often than by the machine: ${report.verdict(holds)}`,
  );
  report.table([...rows, slowOf('the same work each time', fixedTimes, fixedTimes)]);
  const scripts = Object.entries(await store.slow()).map(([script, us]) => `${script} ${us.length}`);
  report.note(`SLOWLOG, with the time in which Redis had to wait: ${scripts.join(', ') || 'empty'}`);
}

/**
 * How many calls were over the bound, and how many at most it is put down to the machine: twice as often as it stretches
 * work that is always the same by as much. None are where the median alone takes two thirds of the bound.
 */
function slowOf(name, times, fixedTimes) {
  const stretch = SLOW_US / median(times);
  const stretched = over(stretch * median(fixedTimes), fixedTimes) / fixedTimes.length;
  const machine = stretch < 1.5 ? 0 : Math.ceil(2 * stretched * times.length);
  return { name, calls: times.length, slow: over(SLOW_US, times), machine, us: spread(times) };
}

function over(bound, times) {
  return times.filter((us) => us > bound).length;
}

function ratioOf(values) {
  return Math.max(...values) / Math.min(...values);
}
