import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Inspector, Operator } from '@app/queue';
import { ApiProblems, BODY_PROBLEMS, NO_BODY_PROBLEMS } from '../http/api-problems.js';
import { NameParam, queueParam } from '../http/name.pipe.js';
import { refuseFields } from '../http/validation.js';
import { INSPECTOR, OPERATOR } from '../ports.module.js';
import { findQueue, showQueue } from './find-queue.js';
import { PurgeDto } from './purge.dto.js';
import { QueueView } from './queue.view.js';
import { inSlices, ProgressView } from './slices.js';

/** Stops what comes into a queue and what goes out of it, and lets it flow again. */
@ApiTags('queues')
@ApiBearerAuth()
@Controller('v1/queues/:queue')
export class QueueFlowController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    @Inject(OPERATOR) private readonly operator: Operator,
  ) {}

  @Post('pause')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'pauseQueue',
    summary: 'Pause a queue',
    description:
      'Nothing of it starts until it is resumed; what runs goes on, and new tasks are accepted. The queue need not have had a task.',
  })
  @ApiParam(queueParam)
  @ApiResponse({ status: 200, type: QueueView, description: 'The queue.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'store-full')
  async pause(@NameParam('queue') queue: string, @Body() body: unknown): Promise<QueueView> {
    refuseFields(body);
    await this.operator.pause(queue);
    return showQueue(this.inspector, queue);
  }

  @Post('resume')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'resumeQueue',
    summary: 'Resume a queue',
    description: 'Ends a pause and a drain. Pauses of its tenants stay.',
  })
  @ApiParam(queueParam)
  @ApiResponse({ status: 200, type: QueueView, description: 'The queue.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'queue-not-found')
  async resume(@NameParam('queue') queue: string, @Body() body: unknown): Promise<QueueView> {
    refuseFields(body);
    await findQueue(this.inspector, queue);
    await this.operator.resume(queue);
    return showQueue(this.inspector, queue);
  }

  @Post('drain')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'drainQueue',
    summary: 'Drain a queue',
    description:
      'New tasks are refused with `queue-draining` until it is resumed; what waits is worked off, and repeated submissions are still answered as the first time. The queue need not have had a task.',
  })
  @ApiParam(queueParam)
  @ApiResponse({ status: 200, type: QueueView, description: 'The queue.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'store-full')
  async drain(@NameParam('queue') queue: string, @Body() body: unknown): Promise<QueueView> {
    refuseFields(body);
    await this.operator.drain(queue);
    return showQueue(this.inspector, queue);
  }

  @Post('purge')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'purgeQueue',
    summary: 'Get rid of tasks',
    description:
      'Cancels what waits, removes what has ended. One request deals with some thousands of tasks; repeat it while `more` is true. What runs is left alone.',
  })
  @ApiParam(queueParam)
  @ApiBody({
    type: PurgeDto,
    examples: {
      waiting: { summary: 'Cancel all that waits', value: { state: 'waiting' } },
      tenant: { summary: 'Cancel what is pending of a tenant', value: { state: 'pending', tenant: 'acme' } },
      completed: { summary: 'Remove what is completed', value: { state: 'completed' } },
    },
  })
  @ApiResponse({ status: 200, type: ProgressView, description: 'What was done.' })
  @ApiProblems(...BODY_PROBLEMS, 'queue-not-found')
  async purge(@NameParam('queue') queue: string, @Body() { state, tenant }: PurgeDto): Promise<ProgressView> {
    await findQueue(this.inspector, queue);
    return inSlices(() => this.operator.purge({ queue, state, tenant }));
  }
}
