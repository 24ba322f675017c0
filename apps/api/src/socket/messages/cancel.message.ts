import { Inject, Injectable } from '@nestjs/common';
import type { Operator } from '@app/queue';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import { taskIdRule } from '../../leases/report.js';
import { OPERATOR } from '../../ports.module.js';
import { viewOperated } from '../../tasks/operated.js';
import { TaskView } from '../../tasks/task.view.js';
import { TASK } from '../examples.js';
import type { MessageType } from '../message-type.js';

/** Which task to cancel. */
export class CancelMessageDto {
  @Field(taskIdRule, { required: true, description: 'The task.', example: 'emails~order-42' })
  id!: string;
}

@Injectable()
export class CancelMessage implements MessageType<CancelMessageDto> {
  readonly type = 'cancel';
  readonly summary = 'Cancel a task';
  readonly description =
    'As `POST /v1/tasks/{id}/cancel`: a waiting task ends at once, the worker of a running one learns it with its next heartbeat.';
  readonly dto = CancelMessageDto;
  readonly answer = { type: 'task', view: TaskView, description: 'The task.' };
  readonly example = { body: { id: 'emails~order-42' }, answer: { ...TASK, state: 'cancelled' } };
  readonly problems: readonly ProblemCode[] = ['task-not-found', 'wrong-state'];

  constructor(@Inject(OPERATOR) private readonly operator: Operator) {}

  async handle({ id }: CancelMessageDto): Promise<TaskView> {
    return viewOperated((await this.operator.cancel([id]))[0], id);
  }
}
