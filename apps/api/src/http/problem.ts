import { ERRORS, QueueError, type Capability, type ErrorCode, type ErrorKind } from '@app/queue';

/** One thing wrong with a request: where, as a JSON pointer into the body or a parameter's name, and what. */
export interface Fault {
  pointer: string;
  detail: string;
}

/** Facts that go with a problem. What is not given is left out of the answer. */
export interface ProblemFacts {
  /** A sentence about this case. */
  detail?: string;
  errors?: readonly object[];
  taskId?: string;
  state?: string;
  /** What the backend of the queue lacks. */
  capability?: Capability;
  /** When it makes sense to try again; sent in the header `Retry-After` too. */
  retryAfterMs?: number;
  /** Sent with the answer. */
  headers?: Readonly<Record<string, string>>;
}

/** What a problem document holds, RFC 9457. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  detail?: string;
  requestId?: string;
  taskId?: string;
  state?: string;
  capability?: Capability;
  retryAfterMs?: number;
  errors?: readonly object[];
}

/** Something that is answered with a problem document. Throw it anywhere in a request. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: ProblemCode,
    readonly facts: ProblemFacts = {},
  ) {
    super(facts.detail ?? PROBLEMS[code].title);
  }

  /** Named unlike Fastify's `statusCode`, which would make Nest take this for an error of Fastify's. */
  get status(): number {
    return PROBLEMS[this.code].status;
  }

  get headers(): Readonly<Record<string, string>> {
    const { retryAfterMs, headers } = this.facts;
    if (retryAfterMs === undefined) return { ...headers };
    return { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))), ...headers };
  }

  body(requestId?: string): ProblemBody {
    const { detail, errors, taskId, state, capability, retryAfterMs } = this.facts;
    const { title, status } = PROBLEMS[this.code];
    return {
      type: problemType(this.code),
      title,
      status,
      code: this.code,
      detail,
      requestId,
      taskId,
      state,
      capability,
      retryAfterMs,
      errors,
    };
  }
}

/** The port's errors as problems. What a store says about itself is not for the public. */
export function problemOf(error: QueueError): Problem {
  const { message, pointer, taskId, state, capability, retryAfterMs } = error.data;
  if (error.kind === 'unavailable' || error.kind === 'full') {
    return new Problem(error.code, { headers: { 'retry-after': retryAfterSeconds() } });
  }
  if (error.kind === 'internal') return new Problem('internal');
  const detail = message;
  const errors = pointer === undefined ? undefined : [{ pointer, detail: message ?? error.message }];
  const facts = { detail, errors, taskId, state, capability };
  // Nobody can know when, but whoever is limited is always told to wait.
  if (error.kind === 'limited' && retryAfterMs === undefined) {
    return new Problem(error.code, { ...facts, headers: { 'retry-after': retryAfterSeconds() } });
  }
  return new Problem(error.code, { ...facts, retryAfterMs });
}

/** Spread over three seconds, so that clients turned away together do not come back together. */
export function retryAfterSeconds(): string {
  return String(1 + Math.floor(Math.random() * 3));
}

/** The stable URI of a kind of problem. It identifies; there is nothing to fetch. */
export function problemType(code: ProblemCode): string {
  return `urn:fairlane:problem:${code}`;
}

const STATUS_OF_KIND: Record<ErrorKind, number> = {
  invalid: 422,
  'not-found': 404,
  gone: 410,
  conflict: 409,
  mismatch: 422,
  limited: 429,
  unsupported: 501,
  full: 503,
  unavailable: 503,
  internal: 500,
};

/** Problems of HTTP itself, which the queue knows nothing about. */
const HTTP_PROBLEMS = {
  'malformed-body': { status: 400, title: 'The body cannot be read as JSON.' },
  'malformed-header': { status: 400, title: 'A header cannot be read.' },
  'malformed-request': { status: 400, title: 'The request cannot be read.' },
  'malformed-message': { status: 400, title: 'The message cannot be read.' },
  unauthorized: { status: 401, title: 'A valid API key is needed.' },
  'foreign-origin': {
    status: 403,
    title: 'Pages of other origins may open a socket only where an API key is needed.',
  },
  'route-not-found': { status: 404, title: 'There is no such resource.' },
  'method-not-allowed': { status: 405, title: 'The resource does not have this method.' },
  'not-registered': { status: 409, title: 'The connection has not been registered for a worker.' },
  'already-registered': { status: 409, title: 'The connection has been registered for a worker already.' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time.' },
  'payload-too-large': { status: 413, title: 'The body or payload is too large.' },
  'url-too-long': { status: 414, title: 'The URL is too long.' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported.' },
  'upgrade-required': { status: 426, title: 'The resource is a WebSocket.' },
  'too-many-waits': { status: 429, title: 'As many messages of the connection wait as may.' },
  'headers-too-large': { status: 431, title: 'The headers are too large.' },
  'too-many-followers': { status: 503, title: 'As many streams of events are open as this process serves.' },
  'too-many-connections': { status: 503, title: 'This process has as many connections as it may.' },
  'shutting-down': { status: 503, title: 'This process is shutting down; another one will answer.' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = ErrorCode | keyof typeof HTTP_PROBLEMS;

/** Every problem there is, with the status it is answered with. */
export const PROBLEMS: Readonly<Record<ProblemCode, { status: number; title: string }>> = {
  ...(Object.fromEntries(
    Object.entries(ERRORS).map(([code, { kind, message }]) => [
      code,
      { status: STATUS_OF_KIND[kind], title: message },
    ]),
  ) as Record<ErrorCode, { status: number; title: string }>),
  ...HTTP_PROBLEMS,
};
