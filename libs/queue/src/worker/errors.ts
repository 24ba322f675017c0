/**
 * Thrown by a handler when trying again cannot help: the task goes to the dead-letter queue at once, whatever
 * its retry policy says.
 */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';

  /**
   * @param message for people
   * @param code stable and machine-readable, at most `LIMITS.errorCodeCharsMax` characters
   * @param details anything serialisable as JSON, kept with the task's errors
   */
  constructor(
    message: string,
    readonly code?: string,
    readonly details?: unknown,
  ) {
    super(message);
  }
}

/** The payload is not what the handler takes. Thrown by `HandlerDefinition.parse`; never tried again. */
export class InvalidPayload extends PermanentError {
  override readonly name = 'InvalidPayload';

  constructor(message: string, details?: unknown) {
    super(message, 'invalid-payload', details);
  }
}

/** Thrown by a handler that knows when to be tried again, such as after a `Retry-After`. Counts as a failure. */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';

  /** @param retryInMs instead of the retry policy's delay; the policy's number of attempts still holds */
  constructor(
    message: string,
    readonly retryInMs: number,
    readonly code?: string,
    readonly details?: unknown,
  ) {
    super(message);
  }
}

/**
 * Thrown by a handler when what all tasks of its queue need is overloaded: for that time no worker starts anything of the
 * queue. The task goes back to the head of its lane and the attempt is not counted, so that only a cancellation ends a task
 * that is told so every time. What concerns one task alone is a matter for RetryLater.
 */
export class SlowDown extends Error {
  override readonly name = 'SlowDown';

  /**
   * @param message for people, in the worker's log
   * @param retryAfterMs kept within `SLOW_DOWN_MS_MIN` and `LIMITS.retryAfterMsMax`
   */
  constructor(
    message: string,
    readonly retryAfterMs: number,
  ) {
    super(message);
  }
}

/** Less would be a task that is executed again and again without end. */
export const SLOW_DOWN_MS_MIN = 100;

/**
 * Why an attempt is to stop.
 *
 * - `timeout`: it ran longer than it may.
 * - `cancelled`: somebody cancelled the task.
 * - `lease-lost`: the task is another worker's by now; nothing this attempt does counts any more.
 * - `shutdown`: this process is about to end; the task goes back and the attempt is not counted.
 */
export type StopReason = 'timeout' | 'cancelled' | 'lease-lost' | 'shutdown';

/** The `reason` of a handler's aborted signal. */
export class AttemptStopped extends Error {
  override readonly name = 'AttemptStopped';

  constructor(readonly code: StopReason) {
    super(STOP_MESSAGES[code]);
  }
}

const STOP_MESSAGES: Record<StopReason, string> = {
  timeout: 'The attempt ran longer than it may.',
  cancelled: 'The task was cancelled.',
  'lease-lost': 'The lease of the task was lost.',
  shutdown: 'The worker is shutting down.',
};
