const COLUMNS = [
  'time',
  'submitted',
  'started',
  'completed',
  'failed',
  'retried',
  'open',
  'wait p50',
  'p99',
  'end p50',
  'p99',
];

export function printHead() {
  console.log(COLUMNS.map((title) => title.padStart(10)).join(''));
}

/** @param {number} second @param tally what happened since the last line @param {number} open tasks that have not ended */
export function printSecond(second, tally, open) {
  const { submitted, started, completed, failed, retried, waits, times } = tally;
  const cells = [
    `${Math.round(second)}s`,
    ...[submitted, started, completed, failed, retried, open],
    ...[ms(waits, 50), ms(waits, 99), ms(times, 50), ms(times, 99)],
  ];
  console.log(cells.map((cell) => String(cell).padStart(10)).join(''));
}

/** A table of workers, and one of machines and their GPUs. */
export function printWorkers(workers, ledger) {
  const rows = workers.map(({ id, labels, constructor: { kind } }) => {
    const { started = 0, completed = 0, failed = 0, retried = 0, lost = 0 } = ledger.workers.get(id) ?? {};
    return { ...labels, kind, started, completed, failed, retried, lost };
  });
  console.log('\nWorkers');
  console.table(Object.fromEntries(rows.map((row, index) => [workers[index].id, row])));
  console.log('\nMachines');
  console.table(
    Object.fromEntries(summed(rows).map(({ machine, gpu, ...sums }) => [`${machine}, GPU ${gpu}`, sums])),
  );
}

/**
 * The account: each task that was submitted is in one place.
 *
 * @param ledger what the workers were answered
 * @param {Record<string, number>} others states of the tasks that no worker here has ended
 * @returns {boolean} whether it adds up
 */
export function printSummary({ total, ended }, others) {
  const { submitted, retried, lost, waits, times } = total;
  const states = { ...ended };
  for (const [state, count] of Object.entries(others)) states[state] = (states[state] ?? 0) + count;
  const sum = Object.values(states).reduce((one, other) => one + other, 0);
  const unknown = others.unknown ?? 0;
  const list = Object.entries(states).filter(([, count]) => count > 0);
  console.log(
    `\nSubmitted ${submitted}: ${list.map(([state, count]) => `${count} ${state}`).join(', ') || 'nothing'}.`,
  );
  console.log(`Attempts that failed and were tried again: ${retried}; leases lost: ${lost}.`);
  console.log(
    `Until the first start p50 ${ms(waits, 50)}, p99 ${ms(waits, 99)}; until the end p50 ${ms(times, 50)}, p99 ${ms(times, 99)}.`,
  );
  const addsUp = sum === submitted && unknown === 0;
  if (!addsUp)
    console.log(`That does not add up: ${submitted - sum + unknown} of them are not accounted for.`);
  return addsUp;
}

/** One row for each machine and GPU. */
function summed(rows) {
  const sums = new Map();
  for (const { machine, gpu, started, completed, failed, retried, lost } of rows) {
    const key = `${machine} ${gpu}`;
    const sum = sums.get(key) ?? {
      machine,
      gpu,
      workers: 0,
      started: 0,
      completed: 0,
      failed: 0,
      retried: 0,
      lost: 0,
    };
    sum.workers += 1;
    for (const [event, count] of Object.entries({ started, completed, failed, retried, lost }))
      sum[event] += count;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => (`${a.machine} ${a.gpu}` < `${b.machine} ${b.gpu}` ? -1 : 1));
}

/** From a histogram of µs. */
function ms(histogram, percentile) {
  if (histogram.count === 0) return '-';
  const value = histogram.percentile(percentile) / 1_000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
