import { Inject, Injectable } from '@nestjs/common';
import { QueueError, type Inspector } from '@app/queue';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import { taskIdRule } from '../../leases/report.js';
import { INSPECTOR } from '../../ports.module.js';
import { GetTaskDto } from '../../tasks/get-task.dto.js';
import { TaskView, viewTask } from '../../tasks/task.view.js';
import type { Connection } from '../connection.js';
import { TASK } from '../examples.js';
import type { MessageType } from '../message-type.js';

/** Which task to get, and how. */
export class GetMessageDto extends GetTaskDto {
  @Field(taskIdRule, { required: true, description: 'The task.', example: 'emails~order-42' })
  id!: string;
}

@Injectable()
export class GetMessage implements MessageType<GetMessageDto> {
  readonly type = 'get';
  readonly summary = 'Get a task, or wait for its end';
  readonly description =
    'As `GET /v1/tasks/{id}`: with `wait` the answer comes when the task has ended, or after that many seconds with the task as it is. Up to 1,000 messages of a connection may wait so.';
  readonly dto = GetMessageDto;
  readonly answer = { type: 'task', view: TaskView, description: 'The task.' };
  readonly example = { body: { id: 'emails~order-42', wait: 10 }, answer: TASK };
  readonly problems: readonly ProblemCode[] = ['task-not-found', 'too-many-waits'];

  constructor(@Inject(INSPECTOR) private readonly inspector: Inspector) {}

  async handle({ id, wait = 0 }: GetMessageDto, connection: Connection): Promise<TaskView> {
    const task =
      wait === 0
        ? (await this.inspector.get([id]))[0]
        : await connection.wait((signal) => this.inspector.waitForEnd(id, wait * 1_000, signal));
    if (!task) throw new QueueError('task-not-found', { taskId: id });
    return viewTask(task);
  }
}
