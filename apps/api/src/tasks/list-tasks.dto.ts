import { LIMITS, TASK_STATES, type TaskState } from '@app/queue';
import { ApiProperty } from '@nestjs/swagger';
import { Field } from '../http/field.js';
import { nextCursor } from '../http/next-cursor.js';
import * as is from '../http/rule.js';
import { TaskView } from './task.view.js';

/** Which tasks of a list to show, and how. */
export class PageTasksDto {
  @Field(is.name('type'), { description: 'Only of this type.', example: 'email.send' })
  type?: string;

  @Field(is.name('tenant'), { description: 'Only of this tenant.', example: 'acme' })
  tenant?: string;

  @Field(is.name('tag'), { description: 'Only with this tag.', example: 'newsletter' })
  tag?: string;

  @Field(is.choice(['newest', 'oldest']), {
    description: 'Which comes first inside a queue.',
    default: 'newest',
    example: 'newest',
  })
  order?: 'newest' | 'oldest';

  @Field(is.integer(1, LIMITS.listLimitMax), { description: 'At most this many.', default: 50, example: 50 })
  limit?: number;

  @Field(is.text(4_096), { description: '`nextCursor` of the page before, with the same filters.' })
  cursor?: string;

  @Field(is.choice(['basic', 'full']), {
    description: '`full` shows payload, result and errors too.',
    default: 'basic',
    example: 'basic',
  })
  view?: 'basic' | 'full';
}

/** Which tasks to list. */
export class ListTasksDto extends PageTasksDto {
  @Field(is.name('queue'), {
    description:
      'Only of this queue. Default: of all queues, one queue after the other in the order of their names; in one whose backend lacks `combined-lists`, one state after the other.',
    example: 'emails',
  })
  queue?: string;

  @Field(is.choice(TASK_STATES), {
    description: 'Only in this state. `failed` is the dead-letter queue.',
    example: 'failed',
  })
  state?: TaskState;
}

/** A page of tasks. */
export class TaskPageView {
  @ApiProperty({
    description: 'The tasks; a filtered page may be short or empty and yet have a next one.',
    type: [TaskView],
  })
  items!: TaskView[];

  @ApiProperty(nextCursor)
  nextCursor!: string | null;
}
