import { QueueError } from './errors.js';
import type { QueueName, TaskId } from './task.js';

/**
 * What names may look like, to callers. Each is only ever the last part of a Redis key or the inside of its hash
 * tag, and none contains `~`, so a task id splits in one way.
 */
export const NAME_PATTERNS = {
  queue: /^[A-Za-z0-9._-]{1,64}$/,
  type: /^[A-Za-z0-9._:/-]{1,64}$/,
  tenant: /^[!-}]{1,128}$/,
  key: /^[!-}]{1,128}$/,
  tag: /^[!-}]{1,64}$/,
  metadataKey: /^[A-Za-z0-9._-]{1,64}$/,
  workerId: /^[!-}]{1,128}$/,
} as const satisfies Record<string, RegExp>;

/** What a backend knows as a queue: one as callers name it, or a partition of one, `emails~1` to `emails~63`. */
const BACKEND_QUEUE = /^[A-Za-z0-9._-]{1,64}(?:~(?:[1-9]|[1-5]\d|6[0-3]))?$/;

/** The patterns in words, for error messages and the API's documentation. */
export const NAME_RULES: Record<keyof typeof NAME_PATTERNS, string> = {
  queue: '1 to 64 of A-Z a-z 0-9 . _ -',
  type: '1 to 64 of A-Z a-z 0-9 . _ - : /',
  tenant: '1 to 128 printable ASCII characters without spaces or ~',
  key: '1 to 128 printable ASCII characters without spaces or ~',
  tag: '1 to 64 printable ASCII characters without spaces or ~',
  metadataKey: '1 to 64 of A-Z a-z 0-9 . _ -',
  workerId: '1 to 128 printable ASCII characters without spaces or ~',
};

export const DEFAULT_QUEUE: QueueName = 'default';
export const DEFAULT_TENANT = 'default';

export function taskId(queue: QueueName, key: string): TaskId {
  return `${queue}~${key}`;
}

/**
 * The parts of an id: `queue~key`, or `queue~partition~key`, whose queue is the partition's.
 *
 * @throws QueueError `invalid-task-id`
 */
export function splitTaskId(id: TaskId): { queue: QueueName; key: string } {
  const at = id.lastIndexOf('~');
  const queue = id.slice(0, at);
  const key = id.slice(at + 1);
  if (at < 0 || !BACKEND_QUEUE.test(queue) || !NAME_PATTERNS.key.test(key)) {
    throw new QueueError('invalid-task-id', {
      message: `"${id.slice(0, 200)}" is not a task id: a task id is queue~key.`,
    });
  }
  return { queue, key };
}

/** The last part of what is a task id. */
export function keyOf(id: TaskId): string {
  return id.slice(id.lastIndexOf('~') + 1);
}

/**
 * The rule of the backends, to whom a partition is a queue like any other. Whoever hears names from callers asks
 * `checkQueueName` as well.
 *
 * @throws QueueError `invalid-task`, with a pointer
 */
export function checkName(kind: keyof typeof NAME_PATTERNS, value: string, pointer: string): void {
  const pattern = kind === 'queue' ? BACKEND_QUEUE : NAME_PATTERNS[kind];
  if (typeof value === 'string' && pattern.test(value)) return;
  throw invalidName(kind, pointer);
}

/** @throws QueueError `invalid-task`, with a pointer: also for a name that is a partition's */
export function checkQueueName(value: QueueName, pointer: string): void {
  if (typeof value === 'string' && NAME_PATTERNS.queue.test(value)) return;
  throw invalidName('queue', pointer);
}

function invalidName(kind: keyof typeof NAME_PATTERNS, pointer: string): QueueError {
  return new QueueError('invalid-task', {
    message: `${pointer.slice(1) || kind} must be ${NAME_RULES[kind]}.`,
    pointer,
  });
}
