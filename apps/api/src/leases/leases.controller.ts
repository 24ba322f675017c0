import { Body, Controller, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiBearerAuth, ApiBody, ApiExtraModels, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Consumer } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems, BODY_PROBLEMS } from '../http/api-problems.js';
import { BATCH_BODY_BYTES_MAX } from '../http/body-limits.js';
import { CONSUMER } from '../ports.module.js';
import { WorkerCommands } from '../workers/worker-commands.js';
import { extendLeases } from './extend-leases.js';
import { HeartbeatsDto, HeldLeaseDto } from './heartbeat.dto.js';
import { HeartbeatsView } from './heartbeat.view.js';
import { toLeaseRequest } from './lease.dto.js';
import { LeasePolls } from './lease-polls.js';
import { viewLease } from './lease.view.js';
import { SettleDto, SettlementDto, toSettlements } from './settle.dto.js';
import { SettleView, viewSettleOutcome } from './settle.view.js';

/** Hears from workers about all that they hold. */
@ApiTags('leases')
@ApiBearerAuth()
@Controller('v1/leases')
export class LeasesController {
  constructor(
    @Inject(CONSUMER) private readonly consumer: Consumer,
    private readonly polls: LeasePolls,
    private readonly commands: WorkerCommands,
  ) {}

  @Post('settle')
  @HttpCode(200)
  @RouteConfig({ bodyBytesMax: BATCH_BODY_BYTES_MAX })
  @ApiOperation({
    operationId: 'settleLeases',
    summary: 'Settle many leased tasks, and take the next',
    description:
      'Each on its own, in order, as by `complete`, `fail` and `release`; a request that is not valid settles nothing. With `next` the answer brings what `lease` would without waiting, in the same round trip. All of it can be repeated, `next` where it has a `requestId`.',
  })
  @ApiExtraModels(SettlementDto)
  @ApiBody({
    type: SettleDto,
    examples: {
      many: {
        summary: 'Three ends',
        value: {
          settlements: [
            {
              id: 'emails~order-42',
              leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
              action: 'complete',
              result: { messageId: 'm-1' },
            },
            {
              id: 'emails~order-43',
              leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-43',
              action: 'fail',
              error: { message: 'The mailbox is full.' },
              retryIn: '10m',
            },
            { id: 'emails~order-44', leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-44', action: 'release' },
          ],
        },
      },
      next: {
        summary: 'One end, and the next task',
        value: {
          settlements: [
            { id: 'emails~order-42', leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42', action: 'complete' },
          ],
          next: { queue: 'emails', workerId: 'mailer-7f3a', requestId: 'p0LmN8bVcX2zAsDfGhJk' },
        },
      },
    },
  })
  @ApiResponse({ status: 200, type: SettleView, description: 'What became of each.' })
  @ApiProblems(...BODY_PROBLEMS)
  async settle(
    @Body() body: SettleDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SettleView> {
    const settlements = toSettlements(body);
    const next = body.next && toLeaseRequest(body.next.queue, body.next, '/next');
    // One that is told to take nothing still gets what a repeat finds: it is its own already.
    const isTold = next !== undefined && (await this.commands.of(next.workerId)) !== undefined;
    const terms = isTold ? { ...next, max: 0 } : next;
    const { outcomes, lease = { tasks: [], more: false } } = await this.consumer.settle(settlements, terms);
    await this.polls.giveBackUnlessDelivered(lease.tasks, reply);
    return {
      outcomes: settlements.map(({ id }, index) => viewSettleOutcome(id, outcomes[index])),
      lease: next && viewLease(isTold ? { tasks: lease.tasks, more: false } : lease),
    };
  }

  @Post('heartbeat')
  @HttpCode(200)
  @RouteConfig({ bodyBytesMax: BATCH_BODY_BYTES_MAX })
  @ApiOperation({
    operationId: 'heartbeatLeases',
    summary: 'Extend many leases',
    description:
      'One heartbeat for everything a worker holds: each as by the heartbeat of a task. A request that is not valid extends nothing. With `workerId` the answer says what is wanted of the worker, if it is registered.',
  })
  @ApiExtraModels(HeldLeaseDto)
  @ApiBody({
    type: HeartbeatsDto,
    examples: {
      all: {
        summary: 'Two leases, one with news',
        value: {
          leases: [
            {
              id: 'emails~order-42',
              leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
              progress: { percent: 40 },
              logs: ['sent to ada@example.com'],
            },
            { id: 'emails~order-43', leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-43' },
          ],
          extend: '30s',
          workerId: 'mailer-7f3a',
        },
      },
    },
  })
  @ApiResponse({ status: 200, type: HeartbeatsView, description: 'What became of each.' })
  @ApiProblems(...BODY_PROBLEMS)
  heartbeat(@Body() body: HeartbeatsDto): Promise<HeartbeatsView> {
    return extendLeases(this.consumer, this.commands, body);
  }
}
