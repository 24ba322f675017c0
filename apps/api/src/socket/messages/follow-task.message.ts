import { Inject, Injectable } from '@nestjs/common';
import { checkPosition, QueueError, type Inspector, type Observer } from '@app/queue';
import { EventStreams } from '../../events/event-streams.js';
import { FollowDto } from '../../events/follow.dto.js';
import { knowsEnd, TaskStream } from '../../events/task-stream.js';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import { taskIdRule } from '../../leases/report.js';
import { INSPECTOR, OBSERVER } from '../../ports.module.js';
import type { Connection } from '../connection.js';
import type { MessageType } from '../message-type.js';

/** Which task to follow. */
export class FollowTaskDto extends FollowDto {
  @Field(taskIdRule, { required: true, description: 'The task.', example: 'emails~order-42' })
  id!: string;
}

@Injectable()
export class FollowTaskMessage implements MessageType<FollowTaskDto> {
  readonly type = 'follow-task';
  readonly summary = 'Follow a task';
  readonly description =
    'As `GET /v1/tasks/{id}/events`: the task as it is, then its states, progress and log lines, and after a terminal state the task once more and `end`; in `event` messages that bear the `requestId` of this one, which must have one.';
  readonly dto = FollowTaskDto;
  readonly answer = { type: 'following', description: 'What happens is told from here on.' };
  readonly example = { body: { id: 'emails~order-42' }, answer: {} };
  readonly problems: readonly ProblemCode[] = [
    'task-not-found',
    'invalid-position',
    'too-many-waits',
    'too-many-followers',
  ];

  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    @Inject(OBSERVER) private readonly observer: Observer,
    private readonly streams: EventStreams,
  ) {}

  async handle(
    { id, lastEventId: after }: FollowTaskDto,
    connection: Connection,
    requestId?: string,
  ): Promise<object> {
    if (after !== undefined) checkPosition(after);
    const sink = connection.follow(requestId, () => this.streams.enter('task'));
    try {
      const found = await this.observer.snapshot(id);
      if (!found) throw new QueueError('task-not-found', { taskId: id });
      if (after !== undefined && knowsEnd(found.task, after)) sink.end();
      else await new TaskStream(id, this.observer, this.inspector, sink).begin(found, after);
    } catch (error) {
      sink.stop();
      throw error;
    }
    sink.open();
    return {};
  }
}
