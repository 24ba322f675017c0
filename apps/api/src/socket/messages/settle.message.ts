import { Inject, Injectable } from '@nestjs/common';
import { splitTaskId, type Consumer } from '@app/queue';
import { BATCH_BODY_BYTES_MAX } from '../../http/body-limits.js';
import { NestedField } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import { SettlementsDto, toSettlements } from '../../leases/settle.dto.js';
import { SettlementsView, viewSettleOutcome } from '../../leases/settle.view.js';
import { CONSUMER } from '../../ports.module.js';
import type { Connection } from '../connection.js';
import { LEASE } from '../examples.js';
import type { MessageType } from '../message-type.js';
import { CreditDto } from './credit.message.js';

/** The ends of leases, and what can be taken then. */
export class SettleMessageDto extends SettlementsDto {
  @NestedField(CreditDto, {
    description: 'As by `credit`. Tasks may be taken in the same step. Default: as it was.',
  })
  credit?: CreditDto;
}

@Injectable()
export class SettleMessage implements MessageType<SettleMessageDto> {
  readonly type = 'settle';
  readonly summary = 'Settle leased tasks';
  readonly description =
    'As `POST /v1/leases/settle`: each on its own, in order; a message that is not valid settles nothing. It can be repeated, on any connection. Without `credit` the connection need not be registered.';
  readonly dto = SettleMessageDto;
  readonly answer = { type: 'settled', view: SettlementsView, description: 'What became of each.' };
  readonly example = {
    body: {
      settlements: [{ ...LEASE, action: 'complete', result: { messageId: 'm-1' } }],
      credit: { received: 1, free: 1 },
    },
    answer: { outcomes: [{ id: LEASE.id, state: 'completed' }] },
  };
  readonly problems: readonly ProblemCode[] = ['not-registered', 'payload-too-large'];
  readonly bodyBytesMax = BATCH_BODY_BYTES_MAX;

  constructor(@Inject(CONSUMER) private readonly consumer: Consumer) {}

  async handle(body: SettleMessageDto, connection: Connection): Promise<SettlementsView> {
    const settlements = toSettlements(body);
    const worker = body.credit && connection.registered;
    const queues = settlements.map(({ id }) => splitTaskId(id).queue);
    const next = body.credit && worker?.grantWhileSettling(body.credit, queues, '/credit');
    try {
      const { outcomes, lease } = await this.consumer.settle(settlements, next);
      if (next && lease) worker?.took(next, lease);
      return { outcomes: settlements.map(({ id }, index) => viewSettleOutcome(id, outcomes[index])) };
    } catch (error) {
      if (next) worker?.failed(next);
      throw error;
    }
  }
}
