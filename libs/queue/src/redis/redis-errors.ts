import { type ErrorCode, QueueError } from '../core/errors.js';

/**
 * What Redis' error replies mean for a caller, by their first word. `retriable`: nothing was executed, and the
 * trouble may pass within a moment (a failover, a slot on the move, another script).
 */
const REPLIES: Record<string, { code: ErrorCode; retriable: boolean }> = {
  OOM: { code: 'store-full', retriable: false },
  MISCONF: { code: 'store-unavailable', retriable: false },
  NOREPLICAS: { code: 'store-unavailable', retriable: false },
  BUSY: { code: 'store-unavailable', retriable: false },
  LOADING: { code: 'store-unavailable', retriable: true },
  READONLY: { code: 'store-unavailable', retriable: true },
  MASTERDOWN: { code: 'store-unavailable', retriable: true },
  UNBLOCKED: { code: 'store-unavailable', retriable: true },
  CLUSTERDOWN: { code: 'store-unavailable', retriable: true },
  MOVED: { code: 'store-unavailable', retriable: true },
  ASK: { code: 'store-unavailable', retriable: true },
  TRYAGAIN: { code: 'store-unavailable', retriable: true },
  // Forgotten again since it was taught, or taught to the master before this one.
  NOSCRIPT: { code: 'store-unavailable', retriable: true },
  NOAUTH: { code: 'store-unsuitable', retriable: false },
  WRONGPASS: { code: 'store-unsuitable', retriable: false },
  NOPERM: { code: 'store-unsuitable', retriable: false },
};

export function toQueueError(cause: unknown): QueueError {
  if (cause instanceof QueueError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const reply = REPLIES[kindOf(message)];
  if (reply?.code === 'store-unsuitable') {
    return new QueueError(reply.code, { cause, message: `Redis refuses this process: ${message}` });
  }
  if (reply) return new QueueError(reply.code, { cause });
  if (isReply(cause)) return new QueueError('internal', { cause });
  return new QueueError('store-unavailable', { cause });
}

/**
 * Whether to try again by ourselves, with the same identity: the connection broke or a reply said so. Not after a
 * command that timed out or replicas that did not confirm: by then the caller has waited long enough.
 */
export function isRetriable(error: unknown): boolean {
  if (error instanceof QueueError || isCommandTimeout(error)) return false;
  const reply = REPLIES[kindOf(error instanceof Error ? error.message : String(error))];
  return reply ? reply.retriable : !isReply(error);
}

export function isCommandTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out';
}

/** Whether Redis does not know, or has forgotten, a script or function. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && kindOf(error.message) === 'NOSCRIPT';
}

/** Whether the server has answered no, and will again. */
export function isRefusal(error: unknown): boolean {
  return isReply(error) && !isRetriable(error);
}

/** Whether the server does not let us use the command: an ACL, or a managed service that has renamed it. */
export function isRefusedCommand(error: unknown): boolean {
  return error instanceof Error && /^(NOPERM|ERR unknown command)/.test(error.message);
}

export function isMoved(error: unknown): boolean {
  return error instanceof Error && kindOf(error.message) === 'MOVED';
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

/** An error's first word; of an unknown function, of which Redis says no more than `ERR`, that of an unknown script. */
function kindOf(message: string): string {
  if (message.startsWith('ERR Function not found')) return 'NOSCRIPT';
  const end = message.indexOf(' ');
  return end < 0 ? message : message.slice(0, end);
}
