import { Body, Controller, Delete, Get, HttpCode, Inject, Put, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { QueueError, type Inspector, type Operator } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems, BODY_PROBLEMS, NO_BODY_PROBLEMS } from '../http/api-problems.js';
import { NameParam, queueParam } from '../http/name.pipe.js';
import { refuseFields } from '../http/validation.js';
import { INSPECTOR, OPERATOR } from '../ports.module.js';
import { findQueue, showQueue } from './find-queue.js';
import { ListQueuesDto } from './list-queues.dto.js';
import { QueueSettingsDto, toQueueSettings } from './queue-settings.dto.js';
import { QueueStatsView, viewQueueStats } from './queue-stats.view.js';
import { QueuePageView, QueueView, viewSummary } from './queue.view.js';
import { inSlices, ProgressView } from './slices.js';

/** Shows what waits where, and keeps what was decided about it. */
@ApiTags('queues')
@ApiBearerAuth()
@Controller('v1/queues')
export class QueuesController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    @Inject(OPERATOR) private readonly operator: Operator,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listQueues',
    summary: 'List queues',
    description: 'All queues that ever had a task or settings, by name; deleted ones are left out.',
  })
  @ApiResponse({ status: 200, type: QueuePageView, description: 'A page.' })
  @ApiProblems('invalid-request')
  async list(@Query() { limit = 50, cursor }: ListQueuesDto): Promise<QueuePageView> {
    const page = await this.inspector.queues(limit, cursor);
    const overviews = await this.inspector.overview(page.items);
    return {
      items: overviews.flatMap((overview) => (overview ? [viewSummary(overview)] : [])),
      nextCursor: page.nextCursor ?? null,
    };
  }

  @Get(':queue')
  @ApiOperation({
    operationId: 'getQueue',
    summary: 'Get a queue',
    description: 'How much waits and runs in it, whether it is paused or draining, and its settings.',
  })
  @ApiParam(queueParam)
  @ApiResponse({ status: 200, type: QueueView, description: 'The queue.' })
  @ApiProblems('queue-not-found', 'invalid-request')
  get(@NameParam('queue') queue: string): Promise<QueueView> {
    return showQueue(this.inspector, queue);
  }

  @Get(':queue/stats')
  @ApiOperation({
    operationId: 'getQueueStats',
    summary: 'Get the statistics of a queue',
    description:
      'Its tasks by state, priority and type, the age of the oldest, and of the last hour what happened by minute and how long tasks waited.',
  })
  @ApiParam(queueParam)
  @ApiResponse({ status: 200, type: QueueStatsView, description: 'The numbers.' })
  @ApiProblems('queue-not-found', 'invalid-request')
  async stats(@NameParam('queue') queue: string): Promise<QueueStatsView> {
    return viewQueueStats(await findQueue(this.inspector, queue));
  }

  @Put(':queue')
  @ApiOperation({
    operationId: 'configureQueue',
    summary: 'Set what holds for a queue',
    description:
      'Replaces all settings: what is left out has its default again. Holds for all workers from their next call on. The queue need not have had a task.',
  })
  @ApiParam(queueParam)
  @ApiBody({
    type: QueueSettingsDto,
    examples: {
      limits: {
        summary: 'Limits for all, and for each tenant',
        value: {
          concurrency: 50,
          rate: { limit: 100, per: '1s', burst: 10 },
          backlog: 100_000,
          tenants: { weight: 1, concurrency: 5, rate: { limit: 10, per: '1s' }, backlog: 1_000 },
        },
      },
      strict: {
        summary: 'High priorities first, with bounds of its own',
        value: { priority: { policy: 'strict', maxWait: { low: '10m', very_low: null } } },
      },
      weighted: {
        summary: 'A share for every priority',
        value: { priority: { policy: 'weighted', weights: { critical: 10, normal: 5 } } },
      },
      fifo: { summary: 'One after the other', value: { mode: 'fifo' } },
      defaults: { summary: 'The defaults again', value: {} },
    },
  })
  @ApiResponse({ status: 200, type: QueueView, description: 'The queue.' })
  @ApiProblems(...BODY_PROBLEMS, 'queue-not-empty', 'store-full')
  async configure(@NameParam('queue') queue: string, @Body() body: QueueSettingsDto): Promise<QueueView> {
    await this.operator.configure(queue, toQueueSettings(body));
    return showQueue(this.inspector, queue);
  }

  @Delete(':queue')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteQueue',
    summary: 'Delete a queue',
    description:
      'Removes its finished tasks, settings, pauses and statistics. Nothing may wait or run in it. A task submitted later makes it anew.',
  })
  @ApiParam(queueParam)
  @ApiResponse({ status: 202, type: ProgressView, description: 'There is more to do: repeat the request.' })
  @ApiResponse({ status: 204, description: 'It is deleted.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'queue-not-found', 'queue-not-empty')
  async delete(
    @NameParam('queue') queue: string,
    @Body() body: unknown,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProgressView | undefined> {
    refuseFields(body);
    const [known] = await this.inspector.overview([queue]);
    // Even of what is not known any more: a request before this one may have ended half-way.
    const progress = await inSlices(() => this.operator.deleteQueue(queue));
    if (progress.more) {
      reply.code(202);
      return progress;
    }
    if (!known && progress.count === 0) throw new QueueError('queue-not-found');
    return undefined;
  }
}
