import type { QueueState } from './queue-state.js';
import { nextStartAt, startsAllowed } from './rate.js';

/** How many tasks the queue may start now, whosever they are. */
export function startsNow(queue: QueueState, now: number): number {
  if (queue.paused || queue.notBefore > now) return 0;
  const { rate } = queue.settings;
  return Math.min(concurrencyLeft(queue), rate ? startsAllowed(rate, queue.tat, now) : Infinity);
}

/** From when on something may start that waits and may not now, if nothing but time passes. */
export function nextStart(queue: QueueState, now: number): number {
  const { lanes, settings, notBefore, tat } = queue;
  if (lanes.isIdle || queue.paused || concurrencyLeft(queue) === 0 || startsNow(queue, now) > 0) {
    return lanes.nextRejoinAt;
  }
  return Math.min(
    lanes.nextRejoinAt,
    Math.max(notBefore, settings.rate ? nextStartAt(settings.rate, tat) : 0),
  );
}

function concurrencyLeft(queue: QueueState): number {
  return Math.max(0, (queue.settings.concurrency ?? Infinity) - queue.running());
}
