import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiProblems, BODY_PROBLEMS } from '../http/api-problems.js';
import { NameParam, queueParam } from '../http/name.pipe.js';
import { readDurationMs } from '../http/rule.js';
import { LeaseDto, toLeaseRequest } from './lease.dto.js';
import { LeasePolls } from './lease-polls.js';
import { LeaseView, viewLease } from './lease.view.js';

/** Hands tasks out to workers. */
@ApiTags('leases')
@ApiBearerAuth()
@Controller('v1/queues/:queue/lease')
export class LeaseController {
  constructor(private readonly polls: LeasePolls) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'leaseTasks',
    summary: 'Take tasks',
    description:
      'By priority, fairly between tenants, as far as limits allow. Where nothing may start the answer is 204, with `wait` only after that time; a shutdown ends the wait early. So it is for a worker that an operator told to be quiet or to end. Each task comes with a token, the right to settle it: until `leaseExpiresAt`, unless a heartbeat extends it. Tasks go back at once, without an attempt being counted, if the client leaves before it has the whole answer. The queue need not have had a task.',
  })
  @ApiParam(queueParam)
  @ApiBody({
    type: LeaseDto,
    examples: {
      one: { summary: 'One task, if there is one', value: { workerId: 'mailer-7f3a' } },
      many: {
        summary: 'Up to ten, waiting for the first',
        value: {
          workerId: 'mailer-7f3a',
          max: 10,
          leaseDuration: '30s',
          wait: '20s',
          requestId: 'Yb3kQ9x0T1uVw2Zp4RsA',
        },
      },
      tenants: {
        summary: 'Of one tenant before all others',
        value: { workerId: 'mailer-7f3a', max: 10, tenants: ['acme'], steal: true },
      },
    },
  })
  @ApiResponse({ status: 200, type: LeaseView, description: 'The tasks, at least one.' })
  @ApiResponse({ status: 204, description: 'There is nothing that may start.' })
  @ApiProblems(...BODY_PROBLEMS)
  async lease(
    @NameParam('queue') queue: string,
    @Body() body: LeaseDto,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LeaseView | undefined> {
    const lease = await this.polls.lease(toLeaseRequest(queue, body), readDurationMs(body.wait) ?? 0, reply);
    if (lease.tasks.length > 0) return viewLease(lease);
    reply.code(204);
    return undefined;
  }
}
