/** What is logged of an error. */
export interface SerializedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: SerializedError;
  readonly errors?: readonly SerializedError[];
}

/**
 * Reduces anything thrown to fields that are safe to log. Other properties of errors are dropped on purpose: clients hang
 * whole commands and requests on them, with passwords and payloads inside.
 */
export function serializeError(thrown: unknown, depth = 0): SerializedError {
  if (!(thrown instanceof Error)) return { type: typeof thrown, message: textOf(thrown) };
  const code = (thrown as { code?: unknown }).code;
  const nested = depth < depthMax;
  return {
    type: thrown.name,
    message: thrown.message,
    ...(typeof code === 'string' && { code }),
    ...(thrown.stack !== undefined && { stack: thrown.stack }),
    ...(nested && thrown.cause !== undefined && { cause: serializeError(thrown.cause, depth + 1) }),
    ...(nested &&
      thrown instanceof AggregateError && {
        errors: thrown.errors.map((error) => serializeError(error, depth + 1)),
      }),
  };
}

// Causes can form a ring.
const depthMax = 4;

function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    // An object without prototype has no text.
    return 'not an error';
  }
}
