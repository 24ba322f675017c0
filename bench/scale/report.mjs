/** The tables of a run, and whether every bound holds. */
export class Report {
  failed = 0;

  title(text) {
    console.log(`\n${text}`);
  }

  table(rows) {
    console.table(Object.fromEntries(rows.map(({ name, ...row }) => [name, row])));
  }

  note(text) {
    console.log(text);
  }

  /** The word for a table. */
  verdict(holds) {
    if (!holds) this.failed += 1;
    return holds ? 'PASS' : 'FAIL';
  }
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Minimum, median, maximum. */
export function spread(values) {
  return [Math.min(...values), median(values), Math.max(...values)]
    .map((value) => Math.round(value))
    .join(' / ');
}
