import { Body, Controller, Get, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { LIMITS, type ChoreResult, type Inspector, type Operator } from '@app/queue';
import { ApiProblems, NO_BODY_PROBLEMS } from '../http/api-problems.js';
import { NameParam, queueParam } from '../http/name.pipe.js';
import { refuseFields } from '../http/validation.js';
import { INSPECTOR, OPERATOR } from '../ports.module.js';
import { PageTasksDto, TaskPageView } from '../tasks/list-tasks.dto.js';
import { showPage } from '../tasks/list-tasks.js';
import { findQueue } from './find-queue.js';
import { inSlices, ProgressView } from './slices.js';

/** The dead-letter queue of a queue: its failed tasks. */
@ApiTags('queues')
@ApiBearerAuth()
@ApiParam(queueParam)
@Controller('v1/queues/:queue/dead')
export class DeadController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    @Inject(OPERATOR) private readonly operator: Operator,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listDeadTasks',
    summary: 'List failed tasks',
    description:
      'In the order in which they failed: `GET /v1/tasks` with this queue and the state `failed`. A page with filters may be short or empty and yet have a next one.',
  })
  @ApiResponse({ status: 200, type: TaskPageView, description: 'A page.' })
  @ApiProblems('queue-not-found', 'invalid-request', 'invalid-cursor')
  async list(@NameParam('queue') queue: string, @Query() query: PageTasksDto): Promise<TaskPageView> {
    await findQueue(this.inspector, queue);
    return showPage(query, (page) => this.inspector.list({ ...page, queue, state: 'failed' }));
  }

  @Post('retry')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'retryDeadTasks',
    summary: 'Run failed tasks again',
    description:
      'Makes them pending again, with all their attempts, those that failed first before the others. One request deals with some thousands of tasks; repeat it while `more` is true. A task that fails again meanwhile is a failed one like the others, and comes last.',
  })
  @ApiResponse({ status: 200, type: ProgressView, description: 'What was done.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'queue-not-found')
  async retry(@NameParam('queue') queue: string, @Body() body: unknown): Promise<ProgressView> {
    refuseFields(body);
    await findQueue(this.inspector, queue);
    return inSlices(() => this.retrySome(queue));
  }

  @Post('purge')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'purgeDeadTasks',
    summary: 'Remove failed tasks',
    description:
      'With all that is known of them. One request deals with some thousands of tasks; repeat it while `more` is true.',
  })
  @ApiResponse({ status: 200, type: ProgressView, description: 'What was done.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'queue-not-found')
  async purge(@NameParam('queue') queue: string, @Body() body: unknown): Promise<ProgressView> {
    refuseFields(body);
    await findQueue(this.inspector, queue);
    return inSlices(() => this.operator.purge({ queue, state: 'failed' }));
  }

  private async retrySome(queue: string): Promise<ChoreResult> {
    const { items, nextCursor } = await this.inspector.list({
      queue,
      state: 'failed',
      order: 'oldest',
      limit: LIMITS.purgeTasksMax,
    });
    const outcomes = await this.operator.retry(items.map(({ id }) => id));
    const count = outcomes.filter(({ status }) => status === 'done').length;
    return { count, more: nextCursor !== undefined };
  }
}
