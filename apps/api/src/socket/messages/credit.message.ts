import { Injectable } from '@nestjs/common';
import { LIMITS } from '@app/queue';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import * as is from '../../http/rule.js';
import { ASSIGNMENTS_MAX } from '../assigned.view.js';
import type { Connection } from '../connection.js';
import type { MessageType } from '../message-type.js';

/** What a worker can take. */
export class CreditDto {
  @Field(is.integer(0, ASSIGNMENTS_MAX), {
    required: true,
    description:
      'The number of the latest assignment that arrived, or `received` of `registered` before there was one. Credit that was given before the latest assignment arrived counts for nothing.',
    example: 1,
  })
  received!: number;

  @Field(is.integer(0, LIMITS.leaseTasksMax), {
    required: true,
    description: 'How many more tasks can begin now. Replaces what was said before.',
    example: 10,
  })
  free!: number;
}

@Injectable()
export class CreditMessage implements MessageType<CreditDto> {
  readonly type = 'credit';
  readonly summary = 'Say how many tasks the worker can take';
  readonly description =
    'Brings one `assigned` with up to so many tasks (at most 100), as soon as there are some; then new credit is needed. After the answer to credit for none nothing more is assigned.';
  readonly dto = CreditDto;
  readonly answer = { type: 'credited', description: 'It counts.' };
  readonly example = { body: { received: 0, free: 10 }, answer: {} };
  readonly problems: readonly ProblemCode[] = ['not-registered'];

  async handle(credit: CreditDto, connection: Connection): Promise<object> {
    await connection.registered.grant(credit);
    return {};
  }
}
