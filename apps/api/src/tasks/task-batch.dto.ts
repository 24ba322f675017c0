import { LIMITS } from '@app/queue';
import { ApiProperty, ApiPropertyOptional, getSchemaPath } from '@nestjs/swagger';
import { ProblemView } from '../http/problem.view.js';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';
import { SubmitTaskDto } from './submit-task.dto.js';
import { TaskView } from './task.view.js';

/** Many tasks in one request. */
export class TaskBatchDto {
  @Field(is.listOf(is.anything(), 1, LIMITS.batchTasksMax), {
    required: true,
    description: `1 to ${LIMITS.batchTasksMax} tasks.`,
    items: { $ref: getSchemaPath(SubmitTaskDto) },
  })
  tasks!: unknown[];

  @Field(is.boolean(), {
    description: 'true: all tasks, of one queue, or none. false: each on its own.',
    default: true,
    example: true,
  })
  atomic?: boolean;
}

/** What became of one task of a batch. */
export class SubmitOutcomeView {
  @ApiProperty({
    description:
      'accepted: stored. replayed: stored by an earlier request with the same identity. refused: not stored.',
    enum: ['accepted', 'replayed', 'refused'],
    example: 'accepted',
  })
  status!: 'accepted' | 'replayed' | 'refused';

  @ApiPropertyOptional({
    description: 'Only of streamed batches: the number of the line, from 1.',
    type: 'integer',
  })
  line?: number;

  @ApiPropertyOptional({
    description: 'Where accepted or replayed: the task, without its payload.',
    type: TaskView,
  })
  task?: TaskView;

  @ApiPropertyOptional({ description: 'Where refused: why.', type: ProblemView })
  problem?: ProblemView;
}

/** What became of a batch, task by task in the order of the request. */
export class TaskBatchView {
  @ApiProperty({ description: 'One outcome per task, in order.', type: [SubmitOutcomeView] })
  items!: SubmitOutcomeView[];

  @ApiProperty({ description: 'How many were stored now.', type: 'integer', example: 1 })
  accepted!: number;

  @ApiProperty({ description: 'How many had been stored before.', type: 'integer', example: 0 })
  replayed!: number;

  @ApiProperty({ description: 'How many were not stored.', type: 'integer', example: 0 })
  refused!: number;
}
