import { Injectable } from '@nestjs/common';
import { Field } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import type { Connection } from '../connection.js';
import { requestIdRule } from '../envelope.js';
import type { MessageType } from '../message-type.js';

/** What to follow no longer. */
export class UnfollowDto {
  @Field(requestIdRule, {
    required: true,
    description: 'The `requestId` of the message that asked to follow it.',
    example: '7',
  })
  follow!: string;
}

@Injectable()
export class UnfollowMessage implements MessageType<UnfollowDto> {
  readonly type = 'unfollow';
  readonly summary = 'Follow something no longer';
  readonly description =
    'Nothing more is told of it after the answer. What is not followed can be unfollowed as well.';
  readonly dto = UnfollowDto;
  readonly answer = { type: 'unfollowed', description: 'It is not followed any more.' };
  readonly example = { body: { follow: '7' }, answer: {} };
  readonly problems: readonly ProblemCode[] = [];

  handle({ follow }: UnfollowDto, connection: Connection): Promise<object> {
    connection.unfollow(follow);
    return Promise.resolve({});
  }
}
