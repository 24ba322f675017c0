/**
 * Reads `500ms`, `30s`, `1.5h`, `7d` or a whole number of milliseconds, and gives milliseconds. Throws `RangeError` on
 * anything else, including a negative length.
 */
export function parseDurationMs(text: string): number {
  const match = /^(\d{1,16}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text.trim());
  const ms = match ? Number(match[1]) * unitsMs[(match[2] as Unit | undefined) ?? 'ms'] : NaN;
  if (!Number.isSafeInteger(ms)) throw new RangeError('not a duration');
  return ms;
}

/** Writes milliseconds in the largest unit that keeps the number whole: 90000 is `90s`, 120000 is `2m`. */
export function showDurationMs(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => ms > 0 && ms % unitsMs[name] === 0) ?? 'ms';
  return `${ms / unitsMs[unit]}${unit}`;
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

type Unit = keyof typeof unitsMs;
