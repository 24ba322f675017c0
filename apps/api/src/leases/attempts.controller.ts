import { Body, Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Consumer, Settlement } from '@app/queue';
import { ApiProblems, BODY_PROBLEMS } from '../http/api-problems.js';
import { taskParam } from '../http/name.pipe.js';
import { CONSUMER } from '../ports.module.js';
import { HeartbeatDto, toExtension } from './heartbeat.dto.js';
import { HeartbeatView, viewHeartbeat } from './heartbeat.view.js';
import { toLeaseMs } from './lease.dto.js';
import { CompleteTaskDto, FailTaskDto, ReleaseTaskDto, toSettlement } from './settle.dto.js';
import { SettledView, viewSettled } from './settle.view.js';

const REPEATABLE =
  'A repeat with the same token changes nothing and answers the same, until a later attempt has been settled.';

/** Hears from workers about one attempt. */
@ApiTags('leases')
@ApiBearerAuth()
@ApiParam(taskParam)
@Controller('v1/tasks/:id')
export class AttemptsController {
  constructor(@Inject(CONSUMER) private readonly consumer: Consumer) {}

  @Post('complete')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'completeTask',
    summary: 'Complete a leased task',
    description: `The task is \`completed\`, with the result. ${REPEATABLE}`,
  })
  @ApiBody({
    type: CompleteTaskDto,
    examples: {
      result: {
        summary: 'With a result',
        value: { leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42', result: { messageId: 'm-1' } },
      },
    },
  })
  @ApiResponse({ status: 200, type: SettledView, description: 'It is settled.' })
  @ApiProblems(...BODY_PROBLEMS, 'task-not-found', 'lease-lost', 'invalid-task-id')
  complete(@Param('id') id: string, @Body() body: CompleteTaskDto): Promise<SettledView> {
    return this.settle(toSettlement({ ...body, id, action: 'complete' }));
  }

  @Post('fail')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'failTask',
    summary: 'Fail a leased task',
    description: `The error is kept with the task. It is tried again as its retry policy says (\`retrying\`, or \`pending\` where that is at once), else it is \`failed\`; \`cancelled\` where somebody asked it to stop. ${REPEATABLE}`,
  })
  @ApiBody({
    type: FailTaskDto,
    examples: {
      policy: {
        summary: 'As the retry policy says',
        value: {
          leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
          error: {
            message: 'connect ECONNREFUSED',
            code: 'unreachable',
            details: { host: 'mail.example.com' },
          },
        },
      },
      later: {
        summary: 'Again in ten minutes',
        value: {
          leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
          error: { message: 'The mailbox is full.' },
          retryIn: '10m',
        },
      },
      never: {
        summary: 'Never again',
        value: {
          leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
          error: { message: 'There is no such mailbox.', code: 'mail-refused' },
          retryable: false,
        },
      },
    },
  })
  @ApiResponse({ status: 200, type: SettledView, description: 'It is settled.' })
  @ApiProblems(...BODY_PROBLEMS, 'task-not-found', 'lease-lost', 'invalid-task-id')
  fail(@Param('id') id: string, @Body() body: FailTaskDto): Promise<SettledView> {
    return this.settle(toSettlement({ ...body, id, action: 'fail' }));
  }

  @Post('release')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'releaseTask',
    summary: 'Give a leased task back',
    description: `To the head of its lane; the attempt is not counted and nothing is added to its errors. ${REPEATABLE}`,
  })
  @ApiBody({
    type: ReleaseTaskDto,
    examples: {
      back: { summary: 'For somebody else, now', value: { leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42' } },
      overloaded: {
        summary: 'And nothing of the queue for five seconds',
        value: { leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42', retryAfter: '5s' },
      },
    },
  })
  @ApiResponse({ status: 200, type: SettledView, description: 'It is settled.' })
  @ApiProblems(...BODY_PROBLEMS, 'task-not-found', 'lease-lost', 'invalid-task-id')
  release(@Param('id') id: string, @Body() body: ReleaseTaskDto): Promise<SettledView> {
    return this.settle(toSettlement({ ...body, id, action: 'release' }));
  }

  @Post('heartbeat')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'heartbeatTask',
    summary: 'Extend the lease of a task',
    description:
      'Says that the attempt goes on, and how far it is; the answer says whether somebody wants it stopped. A repeat adds its log lines again.',
  })
  @ApiBody({
    type: HeartbeatDto,
    examples: {
      least: { summary: 'It goes on', value: { leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42' } },
      news: {
        summary: 'With progress and lines',
        value: {
          leaseToken: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
          progress: { percent: 40 },
          logs: ['sent to ada@example.com'],
          extend: '1m',
        },
      },
    },
  })
  @ApiResponse({ status: 200, type: HeartbeatView, description: 'The lease holds.' })
  @ApiProblems(...BODY_PROBLEMS, 'task-not-found', 'lease-lost', 'invalid-task-id')
  async heartbeat(@Param('id') id: string, @Body() body: HeartbeatDto): Promise<HeartbeatView> {
    const [outcome] = await this.consumer.extend([toExtension(id, body)], toLeaseMs(body.extend));
    return viewHeartbeat(id, outcome);
  }

  private async settle(settlement: Settlement): Promise<SettledView> {
    const { outcomes } = await this.consumer.settle([settlement]);
    return viewSettled(settlement.id, outcomes[0]);
  }
}
