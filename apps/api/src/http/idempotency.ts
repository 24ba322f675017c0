import { createHash } from 'node:crypto';
import { NAME_PATTERNS, NAME_RULES } from '@app/queue';
import { Problem } from './problem.js';

/** The header as documented. */
export const IDEMPOTENCY_HEADER = {
  name: 'Idempotency-Key',
  required: false,
  description:
    'Repeating a request with the same key and body answers as the first time, with `Idempotent-Replayed: true`; with another body it is refused. Remembered for 24 hours per queue. In a batch each task has the key with ":" and its number: its index from 0, or its line from 1.',
  schema: { type: 'string' as const, maxLength: 128, example: '"order-42"' },
};

/** What the `Idempotency-Key` header says, bare or quoted as the draft wants it. @throws Problem `malformed-header` */
export function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header);
  const key = /^"([^"]*)"$/.exec(text)?.[1] ?? text;
  if (NAME_PATTERNS.key.test(key) && !key.includes('"')) return key;
  throw new Problem('malformed-header', {
    detail: `Idempotency-Key must be ${NAME_RULES.key}, in quotes or without any.`,
  });
}

/** The key of one task of a batch. @throws Problem `malformed-header` where the batch's key leaves no room */
export function partKey(key: string, part: number): string {
  const own = `${key}:${part}`;
  if (NAME_PATTERNS.key.test(own)) return own;
  throw new Problem('malformed-header', {
    detail: 'Idempotency-Key is too long for a batch, where each task gets the key with ":" and its number.',
  });
}

/** Equal for submissions that mean the same: the order of an object's keys does not matter, everything else does. */
export function fingerprint(task: unknown): string {
  return createHash('sha256')
    .update(`POST\n/v1/tasks\n${canonicalJson(task)}`)
    .digest('base64url');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) => {
    if (typeof held !== 'object' || held === null || Array.isArray(held)) return held;
    const entries = Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
