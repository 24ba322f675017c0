import { LIMITS } from './limits.js';
import type { TaskError } from './task.js';

/** An error as it is kept: cut to its limits rather than refused, since a failure must always be recorded. */
export function storedError({ message, code, details }: TaskError): TaskError {
  const error: TaskError = { message: String(message).slice(0, LIMITS.errorMessageCharsMax) };
  if (code !== undefined) error.code = String(code).slice(0, LIMITS.errorCodeCharsMax);
  if (details === undefined) return error;
  const text = serialised(details);
  if (text === undefined) return { ...error, details: '(dropped: not JSON)' };
  const fits = Buffer.byteLength(text) <= LIMITS.errorBytesMax - Buffer.byteLength(JSON.stringify(error));
  return { ...error, details: fits ? details : '(dropped: too long)' };
}

/** Log lines as they are kept: each cut to its limit, and no more than are kept of a task. */
export function storedLines(lines: readonly string[] = []): string[] {
  return lines.slice(-LIMITS.logLinesKept).map((line) => line.slice(0, LIMITS.logLineCharsMax));
}

function serialised(details: unknown): string | undefined {
  try {
    return JSON.stringify(details) as string | undefined;
  } catch {
    return undefined;
  }
}
