import { createHash } from 'node:crypto';
import { NAME_PATTERNS, NAME_RULES } from '@app/queue';
import { Problem } from './problem.js';

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

/** Equal for requests that mean the same: the order of an object's keys does not matter, everything else does. */
export function fingerprint(method: string, path: string, body: unknown): string {
  return createHash('sha256')
    .update(`${method}\n${path}\n${canonicalJson(body)}`)
    .digest('base64url');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) => {
    if (typeof held !== 'object' || held === null || Array.isArray(held)) return held;
    const entries = Object.entries(held).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
