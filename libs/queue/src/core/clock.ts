/**
 * Where "now" comes from, in ms since the epoch. In production it is always Redis' `TIME`, read inside the
 * script; only tests inject one, so that they own time. Durations are measured with `performance.now()`.
 */
export interface Clock {
  now(): number;
}
