import { Inject } from '@nestjs/common';
import { request, type Dispatcher } from 'undici';
import { PermanentError, RetryLater, type HandlerContext } from '@app/queue';
import { parseDurationMs } from '@app/runtime';
import { Handler, type TaskHandler } from '../handler.js';
import { BlockedAddress } from './address-guard.js';
import { HttpRequestPayload } from './http-request.dto.js';
import { readBody, storedBody, type StoredBody } from './response-body.js';

/** Injects the client that requests go through: a Dispatcher that decides which addresses it connects to. */
export const HTTP_CLIENT = Symbol('HttpClient');

/** The result of `http.request`. */
export interface HttpResponse extends StoredBody {
  status: number;
  headers: Record<string, string | string[] | undefined>;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** A server cannot put a task off for longer than this. */
const RETRY_AFTER_MS_MAX = 3_600_000;
/** Kept of the answer to a failed request. */
const ERROR_BODY_CHARS = 2_000;
/** Client errors that mean: not now. */
const PASSING_STATUSES = new Set([408, 425, 429]);

/**
 * Sends one HTTP request; the response is the result. 2xx and 3xx complete the task, redirects are not followed. Other
 * answers of 4xx than 408, 425 and 429 fail it for good, everything else is tried again, after `Retry-After` where the
 * answer has one. As every task, a request can be sent more than once.
 */
@Handler({ type: 'http.request', queue: 'http', timeoutMs: 310_000, payload: HttpRequestPayload })
export class HttpRequestHandler implements TaskHandler<HttpRequestPayload> {
  constructor(@Inject(HTTP_CLIENT) private readonly client: Dispatcher) {}

  async run(payload: HttpRequestPayload, { signal }: HandlerContext): Promise<HttpResponse> {
    const timeout = AbortSignal.timeout(timeoutMs(payload));
    const response = await this.send(payload, AbortSignal.any([signal, timeout])).catch((error: unknown) => {
      signal.throwIfAborted();
      throw timeout.aborted ? timedOut(payload) : networkError(error);
    });
    const { status, headers } = response;
    if (status < 400) return response;
    const details = { status, headers, body: excerpt(response) };
    const message = `The server answered ${status}.`;
    if (status < 500 && !PASSING_STATUSES.has(status))
      throw new PermanentError(message, 'http-status', details);
    const waitMs = retryAfterMs(headers['retry-after']);
    if (waitMs !== undefined) throw new RetryLater(message, waitMs, 'http-status', details);
    throw Object.assign(new Error(message), { code: 'http-status', details });
  }

  private async send(payload: HttpRequestPayload, signal: AbortSignal): Promise<HttpResponse> {
    const { statusCode, headers, body } = await request(payload.url, {
      method: payload.method ?? 'GET',
      ...headersAndBody(payload),
      signal,
      dispatcher: this.client,
      // The signal bounds the whole; these would only cut it short.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    try {
      const { bytes, truncated } = await readBody(body);
      const contentType = String(headers['content-type'] ?? '');
      return { status: statusCode, headers, ...storedBody(bytes, contentType, truncated) };
    } finally {
      // Reading the rest of an endless answer would never end.
      body.destroy();
    }
  }
}

function timeoutMs({ timeout }: HttpRequestPayload): number {
  return timeout === undefined ? REQUEST_TIMEOUT_MS : parseDurationMs(String(timeout));
}

function headersAndBody({ headers = {}, body }: HttpRequestPayload) {
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const all: Record<string, string> = { ...headers };
  if (!names.has('user-agent')) all['user-agent'] = 'fairlane';
  // A compressed answer would be stored as bytes nobody can read.
  if (!names.has('accept-encoding')) all['accept-encoding'] = 'identity';
  if (body === undefined) return { headers: all };
  if (typeof body === 'string') return { headers: all, body };
  if (!names.has('content-type')) all['content-type'] = 'application/json';
  return { headers: all, body: JSON.stringify(body) };
}

function timedOut(payload: HttpRequestPayload): Error {
  const message = `No complete answer came within ${timeoutMs(payload)} ms.`;
  return Object.assign(new Error(message), { code: 'http-timeout' });
}

function networkError(error: unknown): Error {
  const blocked = [error, (error as Error).cause].find((one) => one instanceof BlockedAddress);
  if (blocked) return blocked as BlockedAddress;
  const { code, message } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(`The request failed: ${message || code || 'no connection'}.`), {
    code: 'network-error',
    details: { code },
  });
}

function excerpt({ body, encoding }: HttpResponse): unknown {
  if (body === undefined || encoding) return undefined;
  return (typeof body === 'string' ? body : JSON.stringify(body)).slice(0, ERROR_BODY_CHARS);
}

/** Seconds or a date, as RFC 9110 has it. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX);
}
