import { Inject, Injectable } from '@nestjs/common';
import { checkPosition, type Observer } from '@app/queue';
import { EventStreams } from '../../events/event-streams.js';
import { FollowAllDto, listed, toFilter } from '../../events/follow.dto.js';
import type { ProblemCode } from '../../http/problem.js';
import { OBSERVER } from '../../ports.module.js';
import type { Connection } from '../connection.js';
import type { MessageType } from '../message-type.js';

@Injectable()
export class FollowMessage implements MessageType<FollowAllDto> {
  readonly type = 'follow';
  readonly summary = 'Follow queues';
  readonly description =
    'As `GET /v1/events`: every state that a task enters from now on, or from `lastEventId` on, in `event` messages that bear the `requestId` of this one, which must have one. Up to 100 at a time for each connection. Who does not read what it follows is cut.';
  readonly dto = FollowAllDto;
  readonly answer = { type: 'following', description: 'What happens is told from here on.' };
  readonly example = { body: { queue: 'emails', state: ['completed', 'failed'] }, answer: {} };
  readonly problems: readonly ProblemCode[] = ['invalid-position', 'too-many-waits', 'too-many-followers'];

  constructor(
    @Inject(OBSERVER) private readonly observer: Observer,
    private readonly streams: EventStreams,
  ) {}

  async handle(body: FollowAllDto, connection: Connection, requestId?: string): Promise<object> {
    const { lastEventId: after, queue } = body;
    if (after !== undefined) checkPosition(after);
    const sink = connection.follow(requestId, () => this.streams.enter('all'));
    try {
      const following = await this.observer.follow(
        { queues: listed(queue) ?? 'all', ...toFilter(body) },
        {
          onEvents: (events, position) => sink.sendEvents(events, position),
          onGap: () => sink.send('gap', {}),
        },
        after,
      );
      sink.follow(following);
    } catch (error) {
      sink.stop();
      throw error;
    }
    sink.open();
    return {};
  }
}
