import { Inject, Injectable } from '@nestjs/common';
import { LIMITS, NAME_PATTERNS, type Producer } from '@app/queue';
import { BATCH_BODY_BYTES_MAX } from '../../http/body-limits.js';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import * as is from '../../http/rule.js';
import { PRODUCER } from '../../ports.module.js';
import { submitBatch } from '../../tasks/submit-batch.js';
import { TaskBatchDto, TaskBatchView } from '../../tasks/task-batch.dto.js';
import { TASK } from '../examples.js';
import type { MessageType } from '../message-type.js';

/** Each task gets the key with ":" and its index. */
const KEY_CHARS_MAX = 128 - `:${LIMITS.batchTasksMax - 1}`.length;

const batchKey = is.rule(
  `must be 1 to ${KEY_CHARS_MAX} printable ASCII characters without spaces or ~`,
  { type: 'string', pattern: NAME_PATTERNS.key.source, maxLength: KEY_CHARS_MAX },
  (value) => typeof value === 'string' && value.length <= KEY_CHARS_MAX && NAME_PATTERNS.key.test(value),
);

/** Many tasks, and what their request has in a header. */
export class SubmitBatchMessageDto extends TaskBatchDto {
  @Field(batchKey, {
    description: 'Each task has it with ":" and its index as its own `idempotencyKey`.',
    example: 'import-7',
  })
  idempotencyKey?: string;
}

@Injectable()
export class SubmitBatchMessage implements MessageType<SubmitBatchMessageDto> {
  readonly type = 'submit-batch';
  readonly summary = 'Submit many tasks';
  readonly description =
    'As `POST /v1/tasks/batch`: all or none, or with `atomic: false` each on its own; where none was stored the answer is a problem.';
  readonly dto = SubmitBatchMessageDto;
  readonly answer = { type: 'submitted-batch', view: TaskBatchView, description: 'What became of each.' };
  readonly example = {
    body: {
      tasks: [
        { type: 'email.send', queue: 'emails', id: 'order-42' },
        { type: 'email.send', queue: 'emails', id: 'order-43' },
      ],
    },
    answer: {
      items: [
        { status: 'accepted', task: TASK },
        { status: 'accepted', task: { ...TASK, id: 'emails~order-43' } },
      ],
      accepted: 2,
      replayed: 0,
      refused: 0,
    },
  };
  readonly problems: readonly ProblemCode[] = [
    'id-conflict',
    'queue-draining',
    'task-gone',
    'payload-too-large',
    'batch-spans-queues',
    'idempotency-mismatch',
    'backlog-full',
    'store-full',
  ];
  readonly bodyBytesMax = BATCH_BODY_BYTES_MAX;

  constructor(@Inject(PRODUCER) private readonly producer: Producer) {}

  handle({ idempotencyKey, ...batch }: SubmitBatchMessageDto): Promise<TaskBatchView> {
    return submitBatch(this.producer, batch, idempotencyKey);
  }
}
