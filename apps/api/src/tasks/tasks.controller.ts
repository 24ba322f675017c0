import { hash } from 'node:crypto';
import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import { QueueError, type Inspector, type Operator, type Queue, type Task } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems, BODY_PROBLEMS, NO_BODY_PROBLEMS } from '../http/api-problems.js';
import { taskParam } from '../http/name.pipe.js';
import { ParkedWaits } from '../http/parked-waits.js';
import { refuseFields } from '../http/validation.js';
import { applyPreference, preferredWaitSeconds } from '../http/wait.js';
import { INSPECTOR, OPERATOR } from '../ports.module.js';
import { ChangeTaskDto, toTaskChange } from './change-task.dto.js';
import { GetTaskDto, LogsView } from './get-task.dto.js';
import { ListTasksDto, TaskPageView } from './list-tasks.dto.js';
import { listTasks, showPage } from './list-tasks.js';
import { viewOperated } from './operated.js';
import { TaskView, viewTask } from './task.view.js';

/** Follows tasks and operates on them. */
@ApiTags('tasks')
@ApiBearerAuth()
@Controller('v1/tasks')
export class TasksController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector & Pick<Queue, 'capabilities'>,
    @Inject(OPERATOR) private readonly operator: Operator,
    private readonly waits: ParkedWaits,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listTasks',
    summary: 'List tasks',
    description:
      'Of one queue, or of all, one queue after the other in the order of their names. Work per page is bounded: a page with filters may be short or empty and yet have a next one.',
  })
  @ApiResponse({ status: 200, type: TaskPageView, description: 'A page.' })
  @ApiProblems('invalid-request', 'invalid-cursor')
  list(@Query() query: ListTasksDto): Promise<TaskPageView> {
    return showPage(query, (page) => listTasks(this.inspector, page));
  }

  @Get(':id')
  @ApiOperation({
    operationId: 'getTask',
    summary: 'Get a task',
    description:
      'With `?wait=10` or `Prefer: wait=10` the answer comes when the task has ended, or after that many seconds with the task as it is.',
  })
  @ApiParam(taskParam)
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`wait=N`, the same as `?wait=N`, which goes first.',
    schema: { type: 'string', example: 'wait=10' },
  })
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: '`ETag` of an earlier answer; where nothing has changed the answer is 304.',
    schema: { type: 'string', example: 'W/"Yb3kQ9x0T1uVw2Zp4RsAp0LmN8b"' },
  })
  @ApiResponse({
    status: 200,
    type: TaskView,
    description: 'The task.',
    headers: {
      ETag: { description: 'Changes with the task.', schema: { type: 'string' } },
      'Preference-Applied': { description: 'The wait that was granted.', schema: { type: 'string' } },
    },
  })
  @ApiResponse({ status: 304, description: 'The task has not changed.' })
  @ApiProblems('task-not-found', 'invalid-request', 'invalid-task-id')
  async get(
    @Param('id') id: string,
    @Query() query: GetTaskDto,
    @Headers() headers: Record<string, string | undefined>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    const preferred = preferredWaitSeconds(headers['prefer']);
    if (preferred !== undefined && query.wait === undefined) applyPreference(reply, preferred);
    const task = await this.find(id, query.wait ?? preferred ?? 0, reply);
    if (!task) throw new QueueError('task-not-found', { taskId: id });

    const text = JSON.stringify(viewTask(task));
    const etag = `W/"${hash('sha256', text, 'base64url').slice(0, 27)}"`;
    reply.header('etag', etag).type('application/json; charset=utf-8');
    if (!matches(headers['if-none-match'], etag)) return text;
    reply.code(304);
    return undefined;
  }

  @Get(':id/logs')
  @ApiOperation({
    operationId: 'getTaskLogs',
    summary: 'Get the lines a handler wrote',
    description: 'The latest lines, oldest first.',
  })
  @ApiParam(taskParam)
  @ApiResponse({ status: 200, type: LogsView, description: 'The lines.' })
  @ApiProblems('task-not-found', 'invalid-task-id')
  async logs(@Param('id') id: string): Promise<LogsView> {
    const [lines, [task]] = await Promise.all([this.inspector.logs(id), this.inspector.get([id])]);
    if (!task) throw new QueueError('task-not-found', { taskId: id });
    return { items: lines.map((line) => ({ ...line, at: new Date(line.at).toISOString() })) };
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'cancelTask',
    summary: 'Cancel a task',
    description:
      'A waiting task ends at once. A running one is asked to stop: its worker learns it with its next heartbeat, and `cancelRequested` is true until it has answered. Cancelling a cancelled task changes nothing.',
  })
  @ApiParam(taskParam)
  @ApiResponse({ status: 200, type: TaskView, description: 'The task.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'task-not-found', 'wrong-state', 'invalid-task-id')
  async cancel(@Param('id') id: string, @Body() body: unknown): Promise<TaskView> {
    refuseFields(body);
    return viewOperated((await this.operator.cancel([id]))[0], id);
  }

  @Post(':id/retry')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'retryTask',
    summary: 'Run a task again',
    description: 'Makes a failed, cancelled or expired task pending again, with all its attempts.',
  })
  @ApiParam(taskParam)
  @ApiResponse({ status: 200, type: TaskView, description: 'The task.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'task-not-found', 'wrong-state', 'invalid-task-id')
  async retry(@Param('id') id: string, @Body() body: unknown): Promise<TaskView> {
    refuseFields(body);
    return viewOperated((await this.operator.retry([id]))[0], id);
  }

  @Patch(':id')
  @ApiOperation({
    operationId: 'changeTask',
    summary: 'Change a task that waits',
    description:
      'A pending task with another priority goes to the tail of its new lane. `delay` and `runAt` are for tasks that are scheduled or retrying; a moment that has passed makes them pending at once.',
  })
  @ApiParam(taskParam)
  @ApiBody({
    type: ChangeTaskDto,
    examples: {
      priority: { summary: 'More urgent', value: { priority: 'critical' } },
      later: { summary: 'Later, and less urgent', value: { priority: 'low', delay: '1h' } },
    },
  })
  @ApiResponse({ status: 200, type: TaskView, description: 'The task.' })
  @ApiProblems(...BODY_PROBLEMS, 'task-not-found', 'wrong-state', 'invalid-task-id')
  async change(@Param('id') id: string, @Body() body: ChangeTaskDto): Promise<TaskView> {
    return viewOperated((await this.operator.update([toTaskChange(id, body)]))[0], id);
  }

  @Post(':id/promote')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'promoteTask',
    summary: 'Run a task now',
    description:
      'Makes a scheduled or retrying task pending at once. Promoting a pending task changes nothing.',
  })
  @ApiParam(taskParam)
  @ApiResponse({ status: 200, type: TaskView, description: 'The task.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'task-not-found', 'wrong-state', 'invalid-task-id')
  async promote(@Param('id') id: string, @Body() body: unknown): Promise<TaskView> {
    refuseFields(body);
    const [outcome] = await this.operator.update([{ id, runAtMs: 0 }]);
    if (outcome?.status === 'refused' && outcome.error.data.state === 'pending') {
      const [task] = await this.inspector.get([id]);
      if (task) return viewTask(task);
    }
    return viewOperated(outcome, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeTask',
    summary: 'Remove a finished task',
    description:
      'With all that is known of it, before retention would. One that waits or runs must be cancelled first.',
  })
  @ApiParam(taskParam)
  @ApiResponse({ status: 204, description: 'It is removed.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'task-not-found', 'wrong-state', 'invalid-task-id')
  async remove(@Param('id') id: string, @Body() body: unknown): Promise<void> {
    refuseFields(body);
    viewOperated((await this.operator.remove([id]))[0], id);
  }

  private async find(id: string, waitSeconds: number, reply: FastifyReply): Promise<Task | undefined> {
    if (waitSeconds === 0) return (await this.inspector.get([id]))[0];
    return this.waits.park(reply, (signal) => this.inspector.waitForEnd(id, waitSeconds * 1_000, signal));
  }
}

/** Weak comparison, as RFC 9110 wants it for GET. */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag.slice(2));
}
