import { QueueError } from '../core/errors.js';
import { NAME_PATTERNS, splitTaskId, taskId } from '../core/names.js';
import type { QueueName, TaskId } from '../core/task.js';

/** How the key of a task begins whose job has an id that is no key of ours: the rest is percent-encoded. */
const ESCAPED = '%%';

/**
 * What follows `<prefix>:<queue>:` in the keys that BullMQ has for a queue as a whole, this version's and earlier ones'. A
 * job of that id would be one of them.
 */
const RESERVED: ReadonlySet<string> = new Set([
  ...['active', 'wait', 'waiting-children', 'paused', 'id', 'delayed', 'prioritized', 'stalled-check', 'completed'],
  ...['failed', 'stalled', 'repeat', 'limiter', 'meta', 'events', 'pc', 'marker', 'de', 'priority', 'metrics'],
]); // prettier-ignore

/**
 * The job of a task's id.
 *
 * @throws QueueError `invalid-task-id`
 */
export function addressOf(id: TaskId): { queue: QueueName; jobId: string } {
  const { queue, key } = splitTaskId(id);
  if (queue.includes('~')) throw new QueueError('invalid-task-id');
  return { queue, jobId: key.startsWith(ESCAPED) ? decoded(key.slice(ESCAPED.length)) : key };
}

/** The task's id of a job; `undefined` where its id is too long to be told. */
export function taskIdOf(queue: QueueName, jobId: string): TaskId | undefined {
  const plain = NAME_PATTERNS.key.test(jobId) && !jobId.startsWith(ESCAPED);
  const key = plain ? jobId : `${ESCAPED}${encodeURIComponent(jobId).replaceAll('~', '%7E')}`;
  return NAME_PATTERNS.key.test(key) ? taskId(queue, key) : undefined;
}

/**
 * Whether a caller may choose this key for a new task. BullMQ numbers the jobs that come without an id, writes over one
 * that has such a number, and appends to ids with `:` to name what belongs to a job.
 */
export function isFreeKey(key: string): boolean {
  return !/^\d+$/.test(key) && !key.includes(':') && !key.startsWith(ESCAPED) && !RESERVED.has(key);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new QueueError('invalid-task-id', { cause });
  }
}
