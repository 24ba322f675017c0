import { TERMINAL_STATES, type PurgeRequest } from '@app/queue';
import { Field, OnlyWith } from '../http/field.js';
import * as is from '../http/rule.js';

/** Which tasks to get rid of. */
export class PurgeDto {
  @Field(is.choice(['waiting', 'pending', ...TERMINAL_STATES]), {
    required: true,
    description:
      'Tasks in this state; `waiting` are those that are pending, scheduled or retrying. What waits is cancelled, what has ended is removed.',
    example: 'waiting',
  })
  state!: PurgeRequest['state'];

  @Field(is.name('tenant'), { description: 'Only of this tenant. Only with pending.', example: 'acme' })
  @OnlyWith('state', 'pending')
  tenant?: string;
}
