import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { QueueError, type Inspector } from '@app/queue';
import { ApiProblems } from '../http/api-problems.js';
import * as is from '../http/rule.js';
import { invalid } from '../http/validation.js';
import { INSPECTOR } from '../ports.module.js';
import { ListQueuesDto } from './list-queues.dto.js';
import { QueuePageView, QueueView, viewQueue, viewSummary } from './queue.view.js';

/** Shows what waits where. */
@ApiTags('queues')
@ApiBearerAuth()
@Controller('v1/queues')
export class QueuesController {
  constructor(@Inject(INSPECTOR) private readonly inspector: Inspector) {}

  @Get()
  @ApiOperation({
    operationId: 'listQueues',
    summary: 'List queues',
    description: 'All queues that ever had a task, by name.',
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
    description: 'Its tasks by state, priority and type, the age of the oldest, and the last hour by minute.',
  })
  @ApiParam({ name: 'queue', description: 'Its name.', example: 'emails', schema: { type: 'string' } })
  @ApiResponse({ status: 200, type: QueueView, description: 'The queue.' })
  @ApiProblems('queue-not-found', 'invalid-request')
  async get(@Param('queue') queue: string): Promise<QueueView> {
    const faults = is.name('queue').faults(queue);
    if (faults.length > 0) throw invalid(faults.map((fault) => ({ ...fault, pointer: '/queue' })));
    const [overview] = await this.inspector.overview([queue]);
    if (!overview) throw new QueueError('queue-not-found');
    return viewQueue(overview);
  }
}
