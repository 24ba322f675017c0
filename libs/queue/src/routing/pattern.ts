import { NAME_PATTERNS } from '../core/names.js';
import type { QueueName } from '../core/task.js';

/** A queue's name, or the beginning of some queues' names followed by `*`. */
export type QueuePattern = string;

/**
 * Tells which queues are meant. One queue after the other is asked for with every request, so names are looked up.
 *
 * @throws Error for a pattern that is none
 */
export function matcherOf(patterns: readonly QueuePattern[]): (queue: QueueName) => boolean {
  const wrong = patterns.find((pattern) => !NAME_PATTERNS.queue.test(pattern.replace(/\*$/, '')));
  if (wrong !== undefined)
    throw new Error(`${JSON.stringify(wrong)} is not a queue's name, or the beginning of one and *.`);
  const names = new Set(patterns.filter((pattern) => !isPrefix(pattern)));
  const prefixes = patterns.filter(isPrefix).map((pattern) => pattern.slice(0, -1));
  return (queue) => names.has(queue) || prefixes.some((prefix) => queue.startsWith(prefix));
}

export function isPrefix(pattern: QueuePattern): boolean {
  return pattern.endsWith('*');
}
