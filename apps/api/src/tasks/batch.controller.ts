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
import type { Producer } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from '../http/body-limits.js';
import { NDJSON, parseJson } from '../http/body-parsers.js';
import { IDEMPOTENCY_HEADER, idempotencyKey } from '../http/idempotency.js';
import { Problem } from '../http/problem.js';
import { checkBody } from '../http/validation.js';
import { PRODUCER } from '../ports.module.js';
import { partIdempotency, submitBatch } from './submit-batch.js';
import { submitEach, toCandidate, type Candidate } from './submit-each.js';
import { SubmitTaskDto } from './submit-task.dto.js';
import { SUBMIT_PROBLEMS } from './submit-task.js';
import { SubmitOutcomeView, TaskBatchDto, TaskBatchView } from './task-batch.dto.js';
import { readLines, type Line } from './task-lines.js';

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
  @ApiProblems(...SUBMIT_PROBLEMS, 'batch-spans-queues')
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
    const answer = await submitBatch(this.producer, checkBody(TaskBatchDto, body), key);
    if (answer.replayed === answer.items.length) reply.header('idempotent-replayed', 'true');
    return answer;
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
