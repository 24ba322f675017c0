import { TASK_STATES, type EventFilter, type TaskState } from '@app/queue';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';

const VALUES_MAX = 20;
const QUEUES_MAX = 100;

/** Where to go on. */
export class FollowDto {
  @Field(is.text(40), {
    description: 'As the header `Last-Event-ID`, which goes first: for clients that cannot send it.',
    example: '1769860800000-0',
  })
  lastEventId?: string;
}

/** Which events of a queue to tell. */
export class FollowQueueDto extends FollowDto {
  @Field(is.someValues(is.choice(TASK_STATES), VALUES_MAX), {
    description: 'Only of tasks that enter one of these states.',
    example: ['completed', 'failed'],
  })
  state?: TaskState | TaskState[];

  @Field(is.someValues(is.name('type'), VALUES_MAX), {
    description: 'Only of tasks of these types.',
    example: ['email.send'],
  })
  type?: string | string[];

  @Field(is.someValues(is.name('tenant'), VALUES_MAX), {
    description: 'Only of tasks of these tenants.',
    example: ['acme'],
  })
  tenant?: string | string[];
}

/** Which events of all queues to tell. */
export class FollowAllDto extends FollowQueueDto {
  @Field(is.someValues(is.name('queue'), QUEUES_MAX), {
    description: 'Only of these queues, known or not. Absent: of all.',
    example: ['emails'],
  })
  queue?: string | string[];
}

/** The port's form. */
export function toFilter({ state, type, tenant }: FollowQueueDto): EventFilter {
  return { states: listed(state), types: listed(type), tenants: listed(tenant) };
}

export function listed<T extends string>(value: T | T[] | undefined): T[] | undefined {
  return value === undefined ? undefined : ([value].flat() as T[]);
}
