import { LIMITS, splitTaskId, type JsonText } from '@app/queue';
import { Problem } from '../http/problem.js';
import * as is from '../http/rule.js';

/* What workers say about an attempt, whatever it is. */

/** A foreign token is lost like a stale one, whatever it looks like. */
export const leaseToken = is.rule(
  'must be text of 1 to 300 characters',
  { type: 'string', minLength: 1, maxLength: 300 },
  (value) => typeof value === 'string' && value.length >= 1 && value.length <= 300,
);

/** Of any length: what the engine cannot keep it cuts, since a failure must always be recorded. */
export const words = is.rule('must be text', { type: 'string' }, (value) => typeof value === 'string');

export const logLines = is.listOf(words, 0, LIMITS.logLinesKept);

export const taskIdRule = is.rule(
  'must be a task id: queue~key',
  { type: 'string' },
  (value) => typeof value === 'string' && isTaskId(value),
);

/** @throws Problem `payload-too-large`, pointing to the value */
export function toJsonText(value: unknown, bytesMax: number, pointer: string): JsonText | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value);
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const detail = `must not be longer than ${bytesMax} bytes of JSON`;
  throw new Problem('payload-too-large', {
    detail: `${pointer.slice(1)} ${detail}.`,
    errors: [{ pointer, detail }],
  });
}

function isTaskId(value: string): boolean {
  try {
    splitTaskId(value);
    return true;
  } catch {
    return false;
  }
}
