export function quantile(numbers, share) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)] ?? NaN;
}

/** To three digits, for a table; nothing where there is no number. */
export function rounded(number) {
  return Number.isFinite(number) ? Number(number.toPrecision(3)) : '';
}
