import { Controller, Get, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExtraModels,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import {
  checkPosition,
  QueueError,
  type EventPosition,
  type EventSelection,
  type Inspector,
  type Observer,
} from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ApiProblems } from '../http/api-problems.js';
import { NameParam, queueParam, taskParam } from '../http/name.pipe.js';
import { INSPECTOR, OBSERVER } from '../ports.module.js';
import { findQueue } from '../queues/find-queue.js';
import { TaskView } from '../tasks/task.view.js';
import type { EventStream } from './event-stream.js';
import { EventStreams } from './event-streams.js';
import { LogsEventView, ProgressEventView, StateEventView } from './event.view.js';
import { FollowAllDto, FollowDto, FollowQueueDto, listed, toFilter } from './follow.dto.js';
import { EVENT_STREAM } from './sse.js';
import { streamOf } from './stream-docs.js';
import { knowsEnd, TaskStream } from './task-stream.js';

const RESUMING =
  'A client that comes back with `Last-Event-ID` misses nothing; what came last may come again. Where something may have been missed, because the queue keeps its latest 2,000 entries or the store was away, the event `gap` says so. A reader that is too slow is disconnected and can go on from where it was.';

const lastEventId = {
  name: 'Last-Event-ID',
  required: false,
  description: 'The `id` that was received last: go on from there. Browsers send it by themselves.',
  schema: { type: 'string' as const, example: '1769860800000-0' },
};

/** Tells what happens as it happens, as server-sent events. */
@ApiTags('events')
@ApiBearerAuth()
@ApiExtraModels(TaskView, StateEventView, ProgressEventView, LogsEventView)
@Controller('v1')
export class EventsController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    @Inject(OBSERVER) private readonly observer: Observer,
    private readonly streams: EventStreams,
  ) {}

  @Get('tasks/:id/events')
  @ApiOperation({
    operationId: 'followTask',
    summary: 'Follow a task',
    description: `Begins with \`task\`, the task as it is; then \`state\`, \`progress\` and \`logs\` as they happen; after a terminal state \`task\` once more, with result and errors, and the stream ends. After a \`gap\` comes \`task\`, too. ${RESUMING}`,
  })
  @ApiParam(taskParam)
  @ApiHeader(lastEventId)
  @ApiResponse(
    streamOf({ task: TaskView, state: StateEventView, progress: ProgressEventView, logs: LogsEventView }),
  )
  @ApiResponse({
    status: 204,
    description: 'The task has ended, and the client was told: it should not come back.',
  })
  @ApiProblems(
    'task-not-found',
    'invalid-request',
    'invalid-task-id',
    'invalid-position',
    'too-many-followers',
  )
  followTask(
    @Param('id') id: string,
    @Query() query: FollowDto,
    @Headers('last-event-id') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = positionOf(header, query);
    return this.streams.run('task', reply, async (begin) => {
      const found = await this.observer.snapshot(id);
      if (!found) throw new QueueError('task-not-found', { taskId: id });
      if (after !== undefined && knowsEnd(found.task, after)) return void reply.code(204).send();
      if (isHead(reply)) return;
      await new TaskStream(id, this.observer, this.inspector, begin()).begin(found, after);
    });
  }

  @Get('queues/:queue/events')
  @ApiOperation({
    operationId: 'followQueue',
    summary: 'Follow a queue',
    description: `\`state\` for every state that a task of the queue enters from now on, or from \`Last-Event-ID\` on. Filters are all to be met; repeat one for several values. ${RESUMING}`,
  })
  @ApiParam(queueParam)
  @ApiHeader(lastEventId)
  @ApiResponse(streamOf({ state: StateEventView }))
  @ApiProblems('queue-not-found', 'invalid-request', 'invalid-position', 'too-many-followers')
  followQueue(
    @NameParam('queue') queue: string,
    @Query() query: FollowQueueDto,
    @Headers('last-event-id') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = positionOf(header, query);
    return this.streams.run('queue', reply, async (begin) => {
      await findQueue(this.inspector, queue);
      await this.follow({ queues: [queue], ...toFilter(query) }, after, reply, begin);
    });
  }

  @Get('events')
  @ApiOperation({
    operationId: 'followAll',
    summary: 'Follow all queues',
    description: `The same for all queues, or for those that are named. Of more than 1,000 queues (100 on a cluster) the first by name are followed; a new one is noticed within seconds, and told from its first event. ${RESUMING}`,
  })
  @ApiHeader(lastEventId)
  @ApiResponse(streamOf({ state: StateEventView }))
  @ApiProblems('invalid-request', 'invalid-position', 'too-many-followers')
  followAll(
    @Query() query: FollowAllDto,
    @Headers('last-event-id') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const after = positionOf(header, query);
    const selection = { queues: listed(query.queue) ?? ('all' as const), ...toFilter(query) };
    return this.streams.run('all', reply, (begin) => this.follow(selection, after, reply, begin));
  }

  private async follow(
    selection: EventSelection,
    after: EventPosition | undefined,
    reply: FastifyReply,
    begin: () => EventStream,
  ): Promise<void> {
    if (isHead(reply)) return;
    // Where there is something to tell before the store has answered it is no refusal any more.
    let begun: EventStream | undefined;
    const stream = (): EventStream => (begun ??= begin());
    const following = await this.observer.follow(
      selection,
      {
        onEvents: (events, position) => stream().sendEvents(events, position),
        onGap: () => stream().send('gap', {}),
      },
      after,
    );
    stream().follow(following);
  }
}

/** @throws QueueError `invalid-position` */
function positionOf(
  header: string | undefined,
  { lastEventId: given }: FollowDto,
): EventPosition | undefined {
  // Browsers send it empty where no event had an id.
  const position = header || given;
  if (position !== undefined) checkPosition(position);
  return position;
}

/** Answers a request that only asks whether it would be answered. */
function isHead(reply: FastifyReply): boolean {
  if (reply.request.method !== 'HEAD') return false;
  reply.type(EVENT_STREAM).send();
  return true;
}
