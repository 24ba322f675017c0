import { applyDecorators } from '@nestjs/common';
import { notSupported } from '@app/queue';
import { ApiExtraModels, ApiResponse, getSchemaPath, type ApiResponseOptions } from '@nestjs/swagger';
import { Problem, PROBLEMS, type ProblemCode, type ProblemFacts } from './problem.js';
import { ProblemView } from './problem.view.js';

/** Documents the problems an operation can answer with, by their codes, beside those any operation can. */
export function ApiProblems(...codes: readonly ProblemCode[]): MethodDecorator {
  const all = [...codes, ...ALWAYS];
  const statuses = [...new Set(all.map((code) => PROBLEMS[code].status))];
  const responses = statuses.map((status) =>
    responseOf(
      status,
      all.filter((code) => PROBLEMS[code].status === status),
    ),
  );
  return applyDecorators(ApiExtraModels(ProblemView), ...responses.map((response) => ApiResponse(response)));
}

/** What a request that takes nothing in its body can run into for the body's sake. */
export const NO_BODY_PROBLEMS = [
  'malformed-body',
  'unsupported-media-type',
  'request-timeout',
  'invalid-request',
] as const satisfies ProblemCode[];

/** The same for one that takes a body. */
export const BODY_PROBLEMS = [...NO_BODY_PROBLEMS, 'payload-too-large'] as const satisfies ProblemCode[];

/** What a request can run into whatever it asks for. */
const ALWAYS: readonly ProblemCode[] = [
  'unauthorized',
  'internal',
  'capability-not-supported',
  'store-unavailable',
];

function responseOf(status: number, codes: readonly ProblemCode[]): ApiResponseOptions {
  const examples = codes.map((code) => [code, { summary: code, value: exampleOf(code) }]);
  return {
    status,
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('\n\n'),
    headers: HEADERS[status],
    content: {
      'application/problem+json': {
        schema: { $ref: getSchemaPath(ProblemView) },
        examples: Object.fromEntries(examples) as Record<string, object>,
      },
    },
  };
}

const HEADERS: Readonly<Record<number, ApiResponseOptions['headers']>> = {
  401: { 'WWW-Authenticate': { description: 'The scheme.', schema: { type: 'string' } } },
  429: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } },
  503: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } },
};

function exampleOf(code: ProblemCode): object {
  // By way of JSON, so that fields without a value are absent as in an answer.
  return JSON.parse(
    JSON.stringify(new Problem(code, EXAMPLES[code]).body('0b0e2a52-8c4f-4b43-9d44-6f5a3c1f7e55')),
  ) as object;
}

const EXAMPLES: Partial<Record<ProblemCode, ProblemFacts>> = {
  'invalid-request': {
    detail: 'retry/maxAttempts must be an integer from 1 to 1000.',
    errors: [{ pointer: '/retry/maxAttempts', detail: 'must be an integer from 1 to 1000' }],
  },
  'capability-not-supported': {
    detail: notSupported('ordering-keys').message,
    errors: [{ pointer: '/orderingKey', detail: notSupported('ordering-keys').message }],
    capability: 'ordering-keys',
  },
  'backlog-full': { retryAfterMs: 2_000 },
};
