import { QueueError } from '../core/errors.js';

/** The codes of BullMQ's own errors that say what is wrong with a job. */
export const JOB_ERRORS = {
  missing: -1,
  lockMissing: -2,
  notInState: -3,
  pendingChildren: -4,
  lockMismatch: -6,
  ofScheduler: -8,
  failedChildren: -9,
} as const;

/** What BullMQ says about a job, as a number; `undefined` for any other trouble. */
export function jobErrorOf(error: unknown): number | undefined {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === 'number' && code < 0 ? code : undefined;
}

/** What is nested so deeply that BullMQ, which writes values and not texts, cannot write it. Nothing was sent then. */
export function tooDeep(pointer: string): QueueError {
  return new QueueError('invalid-request', {
    message: 'The value is nested too deeply for a queue on BullMQ.',
    pointer,
  });
}

/** Trouble with the store as callers know it. */
export function toQueueError(cause: unknown): QueueError {
  if (cause instanceof QueueError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const word = message.slice(0, Math.max(0, message.indexOf(' ')));
  if (word === 'OOM') return new QueueError('store-full', { cause });
  if (['NOAUTH', 'WRONGPASS', 'NOPERM'].includes(word)) {
    return new QueueError('store-unsuitable', { cause, message: `Redis refuses this process: ${message}` });
  }
  const isReply = cause instanceof Error && cause.name === 'ReplyError';
  const passing = ['LOADING', 'READONLY', 'MASTERDOWN', 'BUSY', 'MISCONF', 'NOREPLICAS', 'UNBLOCKED'];
  const isDefect = cause instanceof RangeError || cause instanceof TypeError || cause instanceof SyntaxError;
  if (isDefect || jobErrorOf(cause) !== undefined || (isReply && !passing.includes(word))) {
    return new QueueError('internal', { cause });
  }
  return new QueueError('store-unavailable', { cause });
}
