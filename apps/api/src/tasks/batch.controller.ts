import { Readable } from 'node:stream';
import { Body, Controller, Headers, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import {
  ApiBearerAuth,
  ApiBody,
  ApiExtraModels,
  ApiHeader,
  ApiOperation,
  ApiResponse,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import { QueueError, type EnqueueOutcome, type NewTask, type Producer } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from '../http/body-limits.js';
import { NDJSON, parseJson } from '../http/body-parsers.js';
import { fingerprint, IDEMPOTENCY_HEADER, idempotencyKey, partKey } from '../http/idempotency.js';
import { Problem, problemOf, PROBLEMS, retryAfterSeconds, type ProblemCode } from '../http/problem.js';
import { check, checkBody, invalid } from '../http/validation.js';
import { PRODUCER } from '../ports.module.js';
import { submitEach, toCandidate, type Candidate } from './submit-each.js';
import { SubmitTaskDto, toNewTask } from './submit-task.dto.js';
import { SubmitOutcomeView, TaskBatchDto, TaskBatchView } from './task-batch.dto.js';
import { readLines, type Line } from './task-lines.js';
import { viewTask } from './task.view.js';

/** Takes many tasks in. */
@ApiTags('tasks')
@ApiBearerAuth()
@Controller('v1/tasks/batch')
export class BatchController {
  constructor(@Inject(PRODUCER) private readonly producer: Producer) {}

  @Post()
  @HttpCode(202)
  @RouteConfig({ ndjson: true, bodyBytesMax: BATCH_BODY_BYTES_MAX })
  @ApiOperation({
    operationId: 'submitTasks',
    summary: 'Submit many tasks',
    description: `With \`atomic\` (the default) all tasks go to one queue and are stored in one step, or none is. With \`atomic: false\` each is on its own: the answer is 202 with their outcomes if at least one was stored; if none was, it is the problem of the first, with those of all in \`errors\`.

As \`${NDJSON}\` any number of tasks can be sent, one per line and each on its own; outcomes are streamed back, one per line in the order of the request, while it is still being sent. A line that cannot be read is refused and the stream goes on.`,
  })
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiExtraModels(TaskBatchDto, SubmitTaskDto, SubmitOutcomeView)
  @ApiBody({
    type: TaskBatchDto,
    examples: {
      together: {
        summary: 'All or none',
        value: {
          tasks: [
            { type: 'email.send', queue: 'emails', payload: { to: 'ada@example.com' } },
            { type: 'email.send', queue: 'emails', payload: { to: 'bob@example.com' }, priority: 'high' },
          ],
        },
      },
      apart: {
        summary: 'Each on its own, in any queue',
        value: { tasks: [{ type: 'email.send', queue: 'emails' }, { type: 'demo.echo' }], atomic: false },
      },
    },
  })
  @ApiResponse({
    status: 202,
    description: 'The outcomes.',
    headers: {
      'Idempotent-Replayed': {
        description: '`true` where every task was replayed.',
        schema: { type: 'string' },
      },
    },
    content: {
      'application/json': { schema: { $ref: getSchemaPath(TaskBatchView) } },
      [NDJSON]: { schema: { $ref: getSchemaPath(SubmitOutcomeView) } },
    },
  })
  @ApiExtraModels(TaskBatchView)
  @ApiProblems(
    'malformed-body',
    'malformed-header',
    'id-conflict',
    'queue-draining',
    'task-gone',
    'payload-too-large',
    'unsupported-media-type',
    'request-timeout',
    'invalid-request',
    'batch-spans-queues',
    'idempotency-mismatch',
    'backlog-full',
    'store-full',
  )
  async submitBatch(
    @Body() body: unknown,
    @Headers('idempotency-key') header: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TaskBatchView | Readable> {
    const key = idempotencyKey(header);
    if (body instanceof Readable) {
      reply.type(NDJSON);
      return Readable.from(this.submitLines(body, key), { objectMode: false });
    }
    const { tasks, atomic = true } = checkBody(TaskBatchDto, body);
    const answer = view(atomic ? await this.submitTogether(tasks, key) : await this.submitApart(tasks, key));
    if (answer.replayed === tasks.length) reply.header('idempotent-replayed', 'true');
    return answer;
  }

  private async submitTogether(plain: readonly unknown[], key?: string): Promise<SubmitOutcomeView[]> {
    const checked = plain.map((one) => check(SubmitTaskDto, one));
    const faults = checked.flatMap((one, index) =>
      one.faults.map(({ pointer, detail }) => ({ pointer: `/tasks/${index}${pointer}`, detail })),
    );
    if (faults.length > 0) throw invalid(faults);
    const tasks = checked.map(({ value }, index) =>
      toNewTask(value, partIdempotency(key, index, plain[index]), `/tasks/${index}`),
    );
    const outcomes = await this.producer.enqueue(tasks, { atomic: true });
    return outcomes.map((outcome) => {
      if (outcome.status === 'refused') throw batchRefusal(tasks, outcomes, outcome.error);
      return { status: outcome.status, task: viewTask(outcome.task, false) };
    });
  }

  private async submitApart(plain: readonly unknown[], key?: string): Promise<SubmitOutcomeView[]> {
    const candidates = plain.map((one, index) => toCandidate(one, partIdempotency(key, index, one)));
    const outcomes = await submitEach(this.producer, candidates);
    if (outcomes.every(({ status }) => status === 'refused')) throw nothingStored(outcomes);
    return outcomes;
  }

  private async *submitLines(stream: Readable, key?: string): AsyncGenerator<string> {
    for await (const lines of readLines(stream, BODY_BYTES_MAX)) {
      const outcomes = await submitEach(
        this.producer,
        lines.map((line) => lineCandidate(line, key)),
      );
      yield outcomes
        .map((outcome, index) => `${JSON.stringify({ line: lines[index]?.number, ...outcome })}\n`)
        .join('');
    }
  }
}

function partIdempotency(key: string | undefined, part: number, plain: unknown): NewTask['idempotency'] {
  return key === undefined ? undefined : { key: partKey(key, part), fingerprint: fingerprint(plain) };
}

function lineCandidate({ number, bytes }: Line, key?: string): Candidate {
  if (!bytes)
    return new Problem('payload-too-large', { detail: `The line is longer than ${BODY_BYTES_MAX} bytes.` });
  try {
    const plain = parseJson(bytes);
    return toCandidate(plain, partIdempotency(key, number, plain));
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** Tells which tasks kept an atomic batch from being stored; the port gives the others the first one's error. */
function batchRefusal(
  tasks: readonly NewTask[],
  outcomes: readonly EnqueueOutcome[],
  first: QueueError,
): Problem {
  const errors = outcomes.flatMap((outcome, index) => {
    if (outcome.status !== 'refused' || NO_TASKS_FAULT.has(outcome.error.code)) return [];
    const { code, message, data } = outcome.error;
    if (code === 'id-conflict' && !data.taskId?.endsWith(`~${tasks[index]?.key}`)) return [];
    return [{ pointer: `/tasks/${index}`, detail: message, code }];
  });
  return new Problem(first.code, {
    ...problemOf(first).facts,
    detail: 'Nothing was stored.',
    errors: errors.length > 0 ? errors : undefined,
  });
}

/** About the queue or a tenant: no task of the request could have been sent otherwise. */
const NO_TASKS_FAULT: ReadonlySet<ProblemCode> = new Set(['backlog-full', 'queue-draining']);

/** Where each task was on its own and none could be stored, the request as a whole has failed. */
function nothingStored(outcomes: readonly SubmitOutcomeView[]): Problem {
  const problems = outcomes.flatMap(({ problem }) => problem ?? []);
  const errors = problems.flatMap(({ title, detail = title, code, errors: faults }, index) =>
    (faults ?? [{ pointer: '', detail }]).map((fault) => ({
      ...fault,
      pointer: `/tasks/${index}${fault.pointer}`,
      code,
    })),
  );
  const code = (problems[0]?.code ?? 'internal') as ProblemCode;
  // Whether a store that did not answer has stored anything is not known.
  const isUnknown = PROBLEMS[code].status === 503;
  const headers: Record<string, string> = isUnknown ? { 'retry-after': retryAfterSeconds() } : {};
  const { retryAfterMs } = problems[0] ?? {};
  const detail = isUnknown ? undefined : 'Nothing was stored.';
  return new Problem(code, { detail, errors, retryAfterMs, headers });
}

function view(items: SubmitOutcomeView[]): TaskBatchView {
  const count = (status: SubmitOutcomeView['status']): number =>
    items.filter((item) => item.status === status).length;
  return { items, accepted: count('accepted'), replayed: count('replayed'), refused: count('refused') };
}
