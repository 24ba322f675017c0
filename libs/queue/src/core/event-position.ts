import { QueueError } from './errors.js';
import type { EventPosition } from './ports/observer.js';

/** Before everything. */
export const ORIGIN: EventPosition = '0-0';

const PATTERN = /^\d{1,15}-\d{1,20}$/;

/** @throws QueueError `invalid-position` */
export function checkPosition(position: EventPosition): void {
  if (!PATTERN.test(position)) throw new QueueError('invalid-position');
}

/** The last position of all before this moment. */
export function positionBefore(ms: number): EventPosition {
  return `${Math.max(0, ms - 1)}-${LAST_IN_MS}`;
}

const LAST_IN_MS = '18446744073709551615';

/** Milliseconds since the epoch on the store's clock. */
export function timeOfPosition(position: EventPosition): number {
  return Number(position.slice(0, position.indexOf('-')));
}

export function isAfter(a: EventPosition, b: EventPosition): boolean {
  const [aMs, bMs] = [timeOfPosition(a), timeOfPosition(b)];
  if (aMs !== bMs) return aMs > bMs;
  // Too large for numbers: longer is larger, and as text within one length.
  const [aSeq, bSeq] = [a.slice(a.indexOf('-') + 1), b.slice(b.indexOf('-') + 1)];
  return aSeq.length === bSeq.length ? aSeq > bSeq : aSeq.length > bSeq.length;
}

export function earliest(positions: Iterable<EventPosition>): EventPosition {
  let found: EventPosition | undefined;
  for (const position of positions) if (found === undefined || isAfter(found, position)) found = position;
  return found ?? ORIGIN;
}
