import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problem.js';
import { upgradeOf } from './upgrade.js';

/**
 * Lets only requests with a known bearer key through, whatever they ask for, routes that do not exist included. A hook
 * and no Nest guard, because guards run after the body was read: strangers' bodies should not be.
 */
export function requireApiKey(instance: FastifyInstance, apiKeys: readonly string[]): void {
  const known = apiKeys.map(digest);
  instance.addHook('onRequest', (request, _reply, done) => {
    if (isPublic(request) || isKnown(bearerOf(request) ?? keyOfSubprotocol(request), known)) return done();
    done(
      new Problem('unauthorized', {
        detail: 'Send "Authorization: Bearer <key>" with a key of this installation.',
        headers: { 'www-authenticate': 'Bearer realm="fairlane"' },
      }),
    );
  });
}

/** What probes and people who have no key yet may see; it tells nothing about tasks. */
export const PUBLIC_ROUTES: ReadonlySet<string> = new Set([
  '/health/live',
  '/health/ready',
  '/openapi.json',
  '/asyncapi.json',
  '/docs',
  '/docs/:file',
]);

function isPublic(request: FastifyRequest): boolean {
  return PUBLIC_ROUTES.has(request.routeOptions.url ?? '');
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer +([!-~]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** A browser can send no header with a WebSocket but the names of subprotocols, in which a key must be encoded. */
function keyOfSubprotocol({ raw }: FastifyRequest): string | undefined {
  if (!upgradeOf(raw)) return undefined;
  const encoded = KEY_PROTOCOL.exec(raw.headers['sec-websocket-protocol'] ?? '')?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64url').toString('latin1');
}

const KEY_PROTOCOL = /(?:^|,)\s*fairlane\.key\.([\w-]+)\s*(?:,|$)/;

/** Compares digests, which have one length, with all keys, so that the time taken tells nothing about any of them. */
function isKnown(key: string | undefined, known: readonly Buffer[]): boolean {
  const given = digest(key ?? '');
  let found = false;
  for (const one of known) found = timingSafeEqual(one, given) || found;
  return found && key !== undefined;
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
