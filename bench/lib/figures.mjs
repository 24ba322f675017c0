export function quantile(numbers, share) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)] ?? NaN;
}

/** To three digits, for a table; nothing where there is no number. */
export function rounded(number) {
  return Number.isFinite(number) ? Number(number.toPrecision(3)) : '';
}

/** Minimum, median and maximum. */
export function spread(numbers) {
  return { min: Math.min(...numbers), median: quantile(numbers, 0.5), max: Math.max(...numbers) };
}

/** The same in words. */
export function inWords({ min, median, max }) {
  return [min, median, max].map((number) => rounded(number).toLocaleString('en')).join(' / ');
}

/** Round by round, by how much one list is larger than the other. */
export function ratios(numbers, others) {
  return numbers.map((number, round) => number / others[round]);
}
