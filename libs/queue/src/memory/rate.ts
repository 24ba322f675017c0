import { defaultBurst, type Rate } from '../core/settings.js';

/*
 * The generic cell rate algorithm: of a rate only the theoretical arrival time ("tat") is kept, at which what was
 * started would have been started had it come evenly. It may be ahead of now by what the burst allows.
 */

/** How many may start now. */
export function startsAllowed(rate: Rate, tat: number, now: number): number {
  const { every, burst } = cells(rate);
  const ahead = Math.max(tat - now, 0);
  return Math.max(0, Math.floor((burst * every - ahead) / every + 1e-9));
}

/** From when on one more may start. */
export function nextStartAt(rate: Rate, tat: number): number {
  const { every, burst } = cells(rate);
  return Math.ceil(tat - burst * every + every);
}

/** The arrival time after `count` have started now. */
export function charged(rate: Rate, tat: number, now: number, count: number): number {
  return count === 0 ? tat : Math.max(tat, now) + count * cells(rate).every;
}

function cells(rate: Rate): { every: number; burst: number } {
  return { every: rate.perMs / rate.limit, burst: rate.burst ?? defaultBurst(rate) };
}
