import { Controller, Headers, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { isTerminal, QueueError, type Inspector, type Producer, type Task } from '@app/queue';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { IDEMPOTENCY_HEADER, idempotencyKey } from '../http/idempotency.js';
import { ParkedWaits } from '../http/parked-waits.js';
import { checkBody } from '../http/validation.js';
import { applyPreference, preferredWaitSeconds } from '../http/wait.js';
import { INSPECTOR, PRODUCER } from '../ports.module.js';
import { SubmitTaskDto } from './submit-task.dto.js';
import { SUBMIT_PROBLEMS, submitTask } from './submit-task.js';
import { TaskView, viewTask } from './task.view.js';

/** Takes one task in. */
@ApiTags('tasks')
@ApiBearerAuth()
@Controller('v1/tasks')
export class SubmitController {
  constructor(
    @Inject(PRODUCER) private readonly producer: Producer,
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    private readonly waits: ParkedWaits,
  ) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({
    operationId: 'submitTask',
    summary: 'Submit a task',
    description:
      'Once this answers, the task is kept until it has ended. With `Prefer: wait=10` the answer is 200 with the finished task if it ends in time.',
  })
  @ApiHeader(IDEMPOTENCY_HEADER)
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`: wait up to N seconds, at most 60, for the end of the task.',
    schema: { type: 'string', example: 'wait=10' },
  })
  @ApiBody({
    type: SubmitTaskDto,
    examples: {
      least: { summary: 'No more than needed', value: { type: 'demo.echo', payload: { hello: 'world' } } },
      most: {
        summary: 'With options',
        value: {
          type: 'email.send',
          payload: { to: 'ada@example.com', template: 'welcome' },
          queue: 'emails',
          tenant: 'acme',
          priority: 'high',
          delay: '5m',
          ttl: '1h',
          timeout: '30s',
          orderingKey: 'account-7',
          retry: { maxAttempts: 5, backoff: 'exponential', delay: '2s', maxDelay: '10m', jitter: 'full' },
          tags: ['newsletter'],
          metadata: { source: 'signup' },
          id: 'order-42',
        },
      },
    },
  })
  @ApiResponse({ status: 200, type: TaskView, description: 'The task has ended.', headers: taskHeaders() })
  @ApiResponse({ status: 202, type: TaskView, description: 'The task is stored.', headers: taskHeaders() })
  @ApiProblems(...SUBMIT_PROBLEMS)
  async submit(
    // Not `@Body()`: a pipe of Nest's costs a twentieth of the request that comes more often than any other.
    @Req() { body }: FastifyRequest,
    @Headers() headers: Record<string, string | undefined>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TaskView> {
    const unbornAtMs = performance.now();
    const outcome = await submitTask(
      this.producer,
      checkBody(SubmitTaskDto, body),
      idempotencyKey(headers['idempotency-key']),
    );
    if (outcome.status === 'replayed') reply.header('idempotent-replayed', 'true');
    reply.header('location', `/v1/tasks/${encodeURIComponent(outcome.task.id)}`);

    const waitSeconds = preferredWaitSeconds(headers['prefer']);
    if (waitSeconds === undefined) return viewTask(outcome.task);
    applyPreference(reply, waitSeconds);
    const since = outcome.status === 'accepted' ? unbornAtMs : undefined;
    const task = (await this.waitForEnd(outcome.task, waitSeconds, reply, since)) ?? outcome.task;
    if (isTerminal(task.state)) reply.code(200);
    return viewTask(task);
  }

  /** Ends early, with what is known, when the store goes away: the task itself has been accepted. */
  private async waitForEnd(
    { id }: Task,
    waitSeconds: number,
    reply: FastifyReply,
    unbornAtMs?: number,
  ): Promise<Task | undefined> {
    try {
      return await this.waits.park(reply, (signal) =>
        this.inspector.waitForEnd(id, waitSeconds * 1_000, signal, unbornAtMs),
      );
    } catch (error) {
      if (error instanceof QueueError && error.kind === 'unavailable') return undefined;
      throw error;
    }
  }
}

function taskHeaders() {
  return {
    Location: { description: 'Where the task is.', schema: { type: 'string' as const } },
    'Idempotent-Replayed': {
      description: '`true` where an earlier request with the same identity stored the task.',
      schema: { type: 'string' as const },
    },
    'Preference-Applied': { description: 'The wait that was granted.', schema: { type: 'string' as const } },
  };
}
