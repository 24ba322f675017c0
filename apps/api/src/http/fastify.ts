import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Logger } from '@app/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BODY_BYTES_MAX } from './body-limits.js';
import { closeIfArriving, isArriving } from './early-answer.js';
import type { ParkedWaits } from './parked-waits.js';
import { Problem, type ProblemCode } from './problem.js';
import { sendProblem } from './problem.filter.js';
import { requestId } from './request-id.js';

/** A task id, where every character may be percent-encoded. */
const PARAM_CHARS_MAX = (64 + 1 + 128) * 3;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MAX = 100;

/** Fastify with every limit stated: its defaults leave slow clients connected for good. */
export function createAdapter(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX },
    // What came in flight still ends; connections nobody uses do not hold up a shutdown.
    forceCloseConnections: 'idle',
    keepAliveTimeout: 65_000,
    // Bodies have a limit of their own (`limitBodyTime`): a streamed batch may take as long as it likes.
    requestTimeout: 0,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000, maxHeaderSize: HEADER_BYTES_MAX },
    requestIdHeader: false,
    genReqId: requestId as never,
    clientErrorHandler: answerClientError as never,
    frameworkErrors: (error: { statusCode?: number }, request: FastifyRequest, reply: FastifyReply) => {
      const code: ProblemCode = error.statusCode === 414 ? 'url-too-long' : 'malformed-request';
      setHeaders(reply, request.id);
      closeIfArriving(request, reply);
      sendProblem(reply, new Problem(code), request.id);
    },
  } as never);
  // Node would drop the headers beyond silently; one more than allowed tells that there were too many.
  adapter.getInstance<FastifyInstance>().server.maxHeadersCount = HEADERS_MAX + 1;
  return adapter;
}

/** What happens to every request before its route, and to every answer after it. */
export function registerHooks(instance: FastifyInstance, log: Logger, waits: () => ParkedWaits): void {
  instance.addHook('onRequest', (request, reply, done) => {
    setHeaders(reply, request.id);
    const headers = request.raw.rawHeaders.length / 2;
    done(
      headers > HEADERS_MAX
        ? new Problem('headers-too-large', { detail: `At most ${HEADERS_MAX} headers.` })
        : undefined,
    );
  });
  instance.addHook('onSend', (request, reply, payload, done) => {
    // A streamed answer goes on until the body has ended.
    if (!(payload instanceof Readable)) closeIfArriving(request, reply);
    if (waits().isEnding) reply.header('connection', 'close');
    done(null, payload);
  });
  instance.addHook('onResponse', (request, reply, done) => {
    const { id, method, routeOptions } = request;
    const durationMs = Math.round(reply.elapsedTime);
    log.debug(
      { requestId: id, method, route: routeOptions.url, status: reply.statusCode, durationMs },
      'answered',
    );
    done();
  });
  instance.addHook('onRoute', (route) => {
    if (route.config?.bodyBytesMax !== undefined) route.bodyLimit = route.config.bodyBytesMax;
  });
}

/** Ends requests whose body does not arrive in time, or pauses for as long where it is streamed. */
export function limitBodyTime(instance: FastifyInstance, timeoutMs: number): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  const stop = (request: FastifyRequest): void => clearTimeout(timers.get(request));
  instance.addHook('onRequest', (request, reply, done) => {
    if (!isArriving(request.raw)) return done();
    const isStream = request.routeOptions.config.ndjson === true && !isJson(request);
    if (isStream) {
      request.raw.setTimeout(timeoutMs, () => request.raw.destroy());
      return done();
    }
    const onTimeout = (): void => void reply.send(new Problem('request-timeout'));
    timers.set(request, setTimeout(onTimeout, timeoutMs).unref());
    done();
  });
  instance.addHook('preValidation', (request, _reply, done) => {
    stop(request);
    done();
  });
  instance.addHook('onResponse', (request, _reply, done) => {
    stop(request);
    done();
  });
}

function setHeaders(reply: FastifyReply, id: string): void {
  reply.headers({
    'x-request-id': id,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
}

function isJson(request: FastifyRequest): boolean {
  return request.headers['content-type']?.startsWith('application/json') === true;
}

/** Answers what Node's parser refuses, for which there is no request and no reply. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const problem = new Problem(CLIENT_ERRORS[error.code ?? ''] ?? 'malformed-request');
  const { status } = problem;
  const body = JSON.stringify(problem.body());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Bad Request'}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
}

const CLIENT_ERRORS: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
};

const STATUS_TEXT: Readonly<Record<number, string>> = {
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Overrides the limit on the size of bodies. */
    bodyBytesMax?: number;
  }
}
