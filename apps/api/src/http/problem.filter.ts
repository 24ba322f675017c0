import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { QueueError } from '@app/queue';
import type { Logger } from '@app/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem, type ProblemCode } from './problem.js';
import type { RouteTable } from './route-table.js';
import { toProblem } from './to-problem.js';

/** Answers everything that is thrown with a problem document; what nobody expected is logged and tells nothing. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly routes: RouteTable,
    private readonly log: Logger,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    // A streamed answer that fails half-way has had its status already: all that is left is to break it off.
    if (reply.raw.headersSent) return void reply.raw.destroy();
    sendProblem(reply, this.problemFor(error, request), request.id);
  }

  private problemFor(error: unknown, request: FastifyRequest): Problem {
    const facts = { requestId: request.id, method: request.method, route: request.routeOptions.url };
    if (error instanceof Problem || error instanceof QueueError) return toProblem(error, this.log, facts);
    if (isDisconnect(error, request)) {
      this.log.debug({ requestId: request.id, err: error }, 'the client left before its request was read');
      return new Problem('malformed-request');
    }
    const status = error instanceof HttpException ? error.getStatus() : undefined;
    if (status === 404) return this.unrouted(request);
    const code = status === undefined ? undefined : CODES[status];
    if (code) return new Problem(code, { headers: code === 'shutting-down' ? { 'retry-after': '1' } : {} });
    return toProblem(error, this.log, facts);
  }

  private unrouted(request: FastifyRequest): Problem {
    const methods = this.routes.methodsOf(request.url);
    if (methods.length === 0) return new Problem('route-not-found');
    const allow = methods.join(', ');
    return new Problem('method-not-allowed', { detail: `Allowed: ${allow}.`, headers: { allow } });
  }
}

/** Nobody reads the answer then, and nothing is wrong here. */
function isDisconnect(error: unknown, { raw }: FastifyRequest): boolean {
  const code = (error as Partial<NodeJS.ErrnoException> | undefined | null)?.code;
  return raw.destroyed && !raw.complete && DISCONNECT_CODES.has(code ?? '');
}

const DISCONNECT_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']);

export function sendProblem(reply: FastifyReply, problem: Problem, requestId: string): void {
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .type('application/problem+json')
    .send(JSON.stringify(problem.body(requestId)));
}

/** What Fastify and Nest refuse by themselves, by its status. */
const CODES: Readonly<Record<number, ProblemCode>> = {
  400: 'malformed-request',
  408: 'request-timeout',
  413: 'payload-too-large',
  414: 'url-too-long',
  415: 'unsupported-media-type',
  503: 'shutting-down',
};
