import { LIMITS } from '../core/limits.js';
import type { LeasedTask } from '../core/ports/consumer.js';
import { storedError } from '../core/report.js';
import type { JsonText, TaskError } from '../core/task.js';
import type { Attempt } from './attempt.js';
import { AttemptContext } from './attempt-context.js';
import {
  AttemptStopped,
  PermanentError,
  RetryLater,
  SLOW_DOWN_MS_MIN,
  SlowDown,
  type StopReason,
} from './errors.js';
import type { HandlerDefinition } from './handler.js';

/** How an attempt ended. */
export type AttemptEnd =
  | { outcome: 'completed'; result?: JsonText }
  | {
      outcome: 'failed' | 'timeout' | 'cancelled';
      error: TaskError;
      retryable?: boolean;
      retryInMs?: number;
      /** What the handler threw, for the log: its stack is not stored with the task. */
      thrown?: unknown;
    }
  | { outcome: 'released'; slowDown?: { retryAfterMs: number; thrown: SlowDown } }
  | { outcome: 'lease-lost' };

/**
 * Executes one attempt from payload to outcome. A handler that ignores its signal is left behind once its grace is over:
 * its attempt has ended then, though its code may go on.
 *
 * @param timeoutMs for tasks and handlers that name none
 * @param onEnd called once; at once where the attempt does not begin. It is no promise, since that and the function that
 *   waits for it would cost each attempt half a kilobyte
 */
export function execute(
  attempt: Attempt,
  handler: HandlerDefinition | undefined,
  timeoutMs: number,
  onEnd: (end: AttemptEnd) => void,
): void {
  if (attempt.stopReason) return onEnd(endOfStopped(attempt.stopReason, timeoutMs));
  if (!handler) return onEnd(noHandler(attempt.task));

  const limitMs = attempt.task.timeoutMs ?? handler.timeoutMs ?? timeoutMs;
  const timer = setTimeout(() => attempt.stop('timeout', 0), limitMs);
  let over = false;
  const end = (known: AttemptEnd | undefined): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    attempt.close();
    const reason = attempt.stopReason;
    // Whoever finishes in spite of a cancellation or a shutdown has finished.
    const finished = known?.outcome === 'completed' && reason !== 'timeout' && reason !== 'lease-lost';
    onEnd(known && (finished || !reason) ? known : endOfStopped(reason!, limitMs));
  };
  attempt.onGraceOver = () => end(undefined);
  void runHandler(attempt, handler, end);
}

async function runHandler(
  attempt: Attempt,
  handler: HandlerDefinition,
  onEnd: (end: AttemptEnd) => void,
): Promise<void> {
  let end: AttemptEnd;
  try {
    const given = readPayload(attempt.task);
    const payload = handler.parse ? await handler.parse(given) : given;
    if (attempt.stopReason) throw new AttemptStopped(attempt.stopReason);
    end = completed(await handler.run(new AttemptContext(attempt, payload)));
  } catch (thrown) {
    end = endOfThrown(thrown);
  }
  onEnd(end);
}

function readPayload({ payload }: LeasedTask): unknown {
  try {
    return payload === undefined ? undefined : JSON.parse(payload);
  } catch {
    // The engine takes payloads as they come; whoever submits through the API cannot get here.
    throw new PermanentError('The payload is not valid JSON.', 'invalid-payload');
  }
}

function completed(value: unknown): AttemptEnd {
  if (value === undefined) return { outcome: 'completed' };
  let result: string | undefined;
  try {
    result = JSON.stringify(value);
  } catch {
    // A cycle, a BigInt, or nesting deeper than the stack.
  }
  if (result === undefined) return badResult('What the handler returned cannot be written as JSON.');
  if (Buffer.byteLength(result) > LIMITS.resultBytesMax) {
    return badResult(`What the handler returned is longer than ${LIMITS.resultBytesMax} bytes of JSON.`);
  }
  return { outcome: 'completed', result };
}

function badResult(message: string): AttemptEnd {
  return { outcome: 'failed', error: { message, code: 'bad-result' }, retryable: false };
}

function endOfThrown(thrown: unknown): AttemptEnd {
  if (thrown instanceof SlowDown && Number.isFinite(thrown.retryAfterMs)) {
    const retryAfterMs = Math.round(clamp(thrown.retryAfterMs, SLOW_DOWN_MS_MIN, LIMITS.retryAfterMsMax));
    return { outcome: 'released', slowDown: { retryAfterMs, thrown } };
  }
  const end = { outcome: 'failed', error: taskErrorOf(thrown), thrown } as const;
  if (thrown instanceof PermanentError) return { ...end, retryable: false };
  if (thrown instanceof RetryLater && Number.isFinite(thrown.retryInMs)) {
    return { ...end, retryInMs: Math.round(clamp(thrown.retryInMs, 0, LIMITS.retryDelayMsMax)) };
  }
  return end;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

function taskErrorOf(thrown: unknown): TaskError {
  try {
    const { message, code, details } = Object(thrown) as Record<string, unknown>;
    const text = typeof message === 'string' ? message : String(thrown);
    return storedError({
      message: text || 'The handler failed without saying why.',
      ...(typeof code === 'string' && code !== '' && { code }),
      details,
    });
  } catch {
    // Whatever was thrown cannot even be read.
    return { message: 'The handler threw something that cannot be shown.' };
  }
}

function noHandler({ type, queue }: LeasedTask): AttemptEnd {
  return {
    outcome: 'failed',
    error: {
      message:
        `A worker of the queue "${queue}" took this task, but has no handler for the type "${type}". Every worker ` +
        'of a queue should handle all types that are sent to it: submit the task without a queue, so that it goes ' +
        'to the queue that workers announced for its type, or have this queue served by workers with the handler.',
      code: 'no-handler',
    },
  };
}

function endOfStopped(reason: StopReason, limitMs: number): AttemptEnd {
  switch (reason) {
    case 'timeout':
      return {
        outcome: 'timeout',
        error: { message: `The attempt did not finish within ${limitMs} ms.`, code: 'timeout' },
      };
    case 'cancelled':
      return { outcome: 'cancelled', error: { message: 'The task was cancelled.', code: 'cancelled' } };
    case 'shutdown':
      return { outcome: 'released' };
    case 'lease-lost':
      return { outcome: 'lease-lost' };
  }
}
