import type { FastifyReply } from 'fastify';
import { integer } from './rule.js';

/** The longest a request may ask to be kept waiting. Proxies cut connections that are silent for longer. */
export const WAIT_SECONDS_MAX = 60;

export const waitRule = integer(0, WAIT_SECONDS_MAX);

/**
 * Seconds asked for with `Prefer: wait=10` (RFC 7240), at most `WAIT_SECONDS_MAX`. A preference that cannot be read is no
 * preference; the RFC wants it ignored.
 */
export function preferredWaitSeconds(prefer: string | string[] | undefined): number | undefined {
  for (const preference of [prefer ?? []].flat().join(',').split(',')) {
    const match = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(;|$)/i.exec(preference);
    if (match) return Math.min(Number(match[1]), WAIT_SECONDS_MAX);
  }
  return undefined;
}

/** Says which preference was honoured. */
export function applyPreference(reply: FastifyReply, waitSeconds: number): void {
  reply.header('preference-applied', `wait=${waitSeconds}`);
}
