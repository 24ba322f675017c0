import { Inject, Injectable } from '@nestjs/common';
import type { Producer } from '@app/queue';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import * as is from '../../http/rule.js';
import { PRODUCER } from '../../ports.module.js';
import { SubmitTaskDto } from '../../tasks/submit-task.dto.js';
import { submitTask } from '../../tasks/submit-task.js';
import { SubmitOutcomeView } from '../../tasks/task-batch.dto.js';
import { viewTask } from '../../tasks/task.view.js';
import { TASK } from '../examples.js';
import type { MessageType } from '../message-type.js';

/** A task, and what its request has in a header. */
export class SubmitMessageDto extends SubmitTaskDto {
  @Field(is.name('key'), {
    description:
      'Repeating a message with the same key and task answers as the first time; with another task it is refused. Remembered for 24 hours per queue, together with those of HTTP requests.',
    example: 'signup-42',
  })
  idempotencyKey?: string;
}

@Injectable()
export class SubmitMessage implements MessageType<SubmitMessageDto> {
  readonly type = 'submit';
  readonly summary = 'Submit a task';
  readonly description = 'As `POST /v1/tasks`. Once this is answered, the task is kept until it has ended.';
  readonly dto = SubmitMessageDto;
  readonly answer = { type: 'submitted', view: SubmitOutcomeView, description: 'The task is stored.' };
  readonly example = {
    body: { type: 'email.send', queue: 'emails', payload: { to: 'ada@example.com' }, id: 'order-42' },
    answer: { status: 'accepted', task: TASK },
  };
  readonly problems: readonly ProblemCode[] = [
    'id-conflict',
    'queue-draining',
    'task-gone',
    'payload-too-large',
    'idempotency-mismatch',
    'backlog-full',
    'store-full',
  ];

  constructor(@Inject(PRODUCER) private readonly producer: Producer) {}

  async handle({ idempotencyKey, ...task }: SubmitMessageDto): Promise<SubmitOutcomeView> {
    const outcome = await submitTask(this.producer, task, idempotencyKey);
    return { status: outcome.status, task: viewTask(outcome.task, false) };
  }
}
