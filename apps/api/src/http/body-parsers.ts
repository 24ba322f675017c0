import type { FastifyInstance, FastifyRequest } from 'fastify';
import { checkJsonLimits } from './json-limits.js';
import { Problem } from './problem.js';

/** Content type of a stream of JSON values, one per line. */
export const NDJSON = 'application/x-ndjson';

/**
 * Bodies are `application/json`, or `application/x-ndjson` where a route reads a stream of lines, which it gets
 * unread; anything else is 415, `text/plain`, `+json` and compressed bodies included.
 */
export function registerBodyParsers(instance: FastifyInstance): void {
  instance.removeAllContentTypeParsers();
  instance.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      refuseEncoding(request);
      done(null, bytes.length === 0 ? undefined : parseJson(bytes as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  instance.addContentTypeParser(NDJSON, (request, stream, done) => {
    try {
      refuseEncoding(request);
      if (request.routeOptions.config.ndjson !== true) {
        throw new Problem('unsupported-media-type', { detail: 'Send application/json.' });
      }
      done(null, stream);
    } catch (error) {
      done(error as Error);
    }
  });
}

/**
 * Reads JSON that can be given back as it came: UTF-8, within the limits, without keys that would reach into
 * prototypes.
 *
 * @throws Problem `malformed-body`
 */
export function parseJson(bytes: Buffer): unknown {
  checkJsonLimits(bytes);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new Problem('malformed-body', { detail: 'The body is not valid UTF-8.' });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Problem('malformed-body', { detail: `${(error as Error).message}.` });
  }
  // Escapes can spell the keys in many ways, so only a body with neither word nor escape is let through unseen.
  if (SUSPECT_TEXT.test(text)) refusePollution(value);
  return value;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

const SUSPECT_TEXT = /__proto__|constructor|\\u00/;

function refusePollution(root: unknown): void {
  const left = [root];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null) continue;
    const polluted =
      Object.hasOwn(value, '__proto__') ||
      (Object.hasOwn(value, 'constructor') &&
        hasPrototypeKey((value as { constructor: unknown }).constructor));
    if (polluted) {
      throw new Problem('malformed-body', {
        detail: 'The keys "__proto__" and "constructor.prototype" are not accepted.',
      });
    }
    left.push(...Object.values(value));
  }
}

function hasPrototypeKey(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');
}

function refuseEncoding(request: FastifyRequest): void {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw new Problem('unsupported-media-type', { detail: 'Compressed bodies are not accepted.' });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads a stream of lines. */
    ndjson?: boolean;
  }
}
