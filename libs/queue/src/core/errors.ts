import { CAPABILITIES, type Capability } from './capabilities.js';
import type { TaskId, TaskState } from './task.js';

/**
 * What kind of trouble an error is. HTTP status, exit code and whether to try again follow from the kind
 * alone, through one exhaustive map each.
 *
 * - `invalid`: the request itself is wrong; repeating it cannot help.
 * - `not-found`, `gone`: there is no such thing, or no longer.
 * - `conflict`: the thing is not in a state that allows this.
 * - `mismatch`: the same identity was given to something else before.
 * - `limited`: a limit that an operator set is reached; the same request may pass later.
 * - `unsupported`: the backend of the queue cannot do this; another one might.
 * - `full`: the store takes nothing new until something is removed.
 * - `unavailable`: the store did not answer. Whether the request took effect is unknown; repeat it with the
 *   same identity.
 * - `internal`: a defect of ours.
 */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'gone'
  | 'conflict'
  | 'mismatch'
  | 'limited'
  | 'unsupported'
  | 'full'
  | 'unavailable'
  | 'internal';

/** Every error the ports can raise or return, once. Codes are stable: clients branch on them. */
export const ERRORS = {
  'invalid-task': { kind: 'invalid', message: 'The task is not valid.' },
  'invalid-task-id': { kind: 'invalid', message: 'Not a task id.' },
  'invalid-request': { kind: 'invalid', message: 'The request is not valid.' },
  'invalid-cursor': { kind: 'invalid', message: 'The cursor does not belong to this list.' },
  'invalid-position': { kind: 'invalid', message: 'Not a position from which events can be followed.' },
  'batch-spans-queues': {
    kind: 'invalid',
    message:
      'An atomic batch goes to one queue, and in it to one partition. Send one batch for each, or give up atomicity.',
  },
  'task-not-found': { kind: 'not-found', message: 'There is no such task.' },
  'queue-not-found': { kind: 'not-found', message: 'There is no such queue.' },
  'worker-not-found': {
    kind: 'not-found',
    message: 'No such worker is registered. It never was, or was not heard of for too long.',
  },
  'too-many-workers': {
    kind: 'limited',
    message: 'As many workers are registered as can be.',
  },
  'task-gone': {
    kind: 'gone',
    message: 'The task this idempotency key created has ended and been removed by retention.',
  },
  'id-conflict': { kind: 'conflict', message: 'Another task has this id.' },
  'lease-lost': {
    kind: 'conflict',
    message: 'The lease is no longer held with this token; nothing was changed.',
  },
  'wrong-state': { kind: 'conflict', message: 'The task is in a state that does not allow this.' },
  'queue-draining': {
    kind: 'conflict',
    message: 'The queue is being drained: it accepts no new tasks until an operator resumes it.',
  },
  'queue-not-empty': {
    kind: 'conflict',
    message: 'Tasks wait or run in the queue, which does not allow this.',
  },
  'idempotency-mismatch': {
    kind: 'mismatch',
    message: 'This idempotency key was used for a different request.',
  },
  'backlog-full': {
    kind: 'limited',
    message:
      'As many tasks wait as the queue or the tenant may have; the task was not stored. Try again later.',
  },
  'capability-not-supported': {
    kind: 'unsupported',
    message: 'The backend of the queue cannot do this; nothing was changed.',
  },
  'store-full': { kind: 'full', message: 'The store is full and accepts no new tasks.' },
  'store-unavailable': {
    kind: 'unavailable',
    message:
      'The store did not answer in time. The request may have taken effect; repeat it with the same identity.',
  },
  'store-unsuitable': { kind: 'internal', message: 'The store is not configured safely for a queue.' },
  internal: { kind: 'internal', message: 'Something went wrong inside the queue.' },
} as const satisfies Record<string, { kind: ErrorKind; message: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Facts that go with an error, for its reader or for code that handles it. */
export interface ErrorData {
  /** Replaces the code's general sentence by one about this case. */
  message?: string;
  /** JSON pointer to the offending part of the request. */
  pointer?: string;
  taskId?: TaskId;
  state?: TaskState;
  /** What the backend lacks. */
  capability?: Capability;
  /** Names of the backends that are in trouble, of the several of one service. */
  backends?: readonly string[];
  /** When it makes sense to try again. */
  retryAfterMs?: number;
  cause?: unknown;
}

export class QueueError extends Error {
  override readonly name = 'QueueError';
  readonly kind: ErrorKind;

  constructor(
    readonly code: ErrorCode,
    readonly data: ErrorData = {},
  ) {
    super(data.message ?? ERRORS[code].message, { cause: data.cause });
    this.kind = ERRORS[code].kind;
  }
}

/** The code, for those who may not see more, and of several backends those that it is about. */
export function troubleOf({ code, data: { backends } }: QueueError): string {
  return backends ? `${backends.join(', ')}: ${code}` : code;
}

/** The refusal of what the state of a task does not allow. */
export function wrongState(taskId: TaskId, state: TaskState): QueueError {
  return new QueueError('wrong-state', {
    message: `The task is ${state}, which does not allow this.`,
    taskId,
    state,
  });
}

/** The refusal of what a backend lacks. */
export function notSupported(capability: Capability, pointer?: string): QueueError {
  return new QueueError('capability-not-supported', {
    message: `The backend of the queue lacks the capability ${capability}: ${CAPABILITIES[capability]}`,
    capability,
    pointer,
  });
}
