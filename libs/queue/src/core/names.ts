import { QueueError } from './errors.js';
import type { QueueName, TaskId } from './task.js';

/**
 * What names may look like. Each is only ever the last part of a Redis key or the inside of its hash tag,
 * and none contains `~`, so a task id splits in one way.
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

/** @throws QueueError `invalid-task-id` */
export function splitTaskId(id: TaskId): { queue: QueueName; key: string } {
  const at = id.indexOf('~');
  const queue = id.slice(0, at);
  const key = id.slice(at + 1);
  if (at < 0 || !NAME_PATTERNS.queue.test(queue) || !NAME_PATTERNS.key.test(key)) {
    throw new QueueError('invalid-task-id', {
      message: `"${id.slice(0, 200)}" is not a task id: a task id is queue~key.`,
    });
  }
  return { queue, key };
}

/** @throws QueueError `invalid-task`, with a pointer */
export function checkName(kind: keyof typeof NAME_PATTERNS, value: string, pointer: string): void {
  if (typeof value === 'string' && NAME_PATTERNS[kind].test(value)) return;
  throw new QueueError('invalid-task', {
    message: `${pointer.slice(1) || kind} must be ${NAME_RULES[kind]}.`,
    pointer,
  });
}
