import { Inject, Injectable } from '@nestjs/common';
import type { Consumer } from '@app/queue';
import { BATCH_BODY_BYTES_MAX } from '../../http/body-limits.js';
import type { ProblemCode } from '../../http/problem.js';
import { extendLeases } from '../../leases/extend-leases.js';
import { HeartbeatsDto } from '../../leases/heartbeat.dto.js';
import { HeartbeatsView } from '../../leases/heartbeat.view.js';
import { CONSUMER } from '../../ports.module.js';
import { WorkerCommands } from '../../workers/worker-commands.js';
import { LEASE } from '../examples.js';
import type { MessageType } from '../message-type.js';

@Injectable()
export class HeartbeatMessage implements MessageType<HeartbeatsDto> {
  readonly type = 'heartbeat';
  readonly summary = 'Extend leases';
  readonly description =
    'As `POST /v1/leases/heartbeat`: extends the leases, records progress and log lines, and says which tasks somebody wants stopped. The connection need not be registered.';
  readonly dto = HeartbeatsDto;
  readonly answer = { type: 'extended', view: HeartbeatsView, description: 'What became of each.' };
  readonly example = {
    body: { leases: [{ ...LEASE, progress: { percent: 40 } }], extend: '30s' },
    answer: {
      outcomes: [{ id: LEASE.id, leaseExpiresAt: '2026-01-31T12:00:40.000Z', cancelRequested: false }],
    },
  };
  readonly problems: readonly ProblemCode[] = ['payload-too-large'];
  readonly bodyBytesMax = BATCH_BODY_BYTES_MAX;

  constructor(
    @Inject(CONSUMER) private readonly consumer: Consumer,
    private readonly commands: WorkerCommands,
  ) {}

  handle(body: HeartbeatsDto): Promise<HeartbeatsView> {
    return extendLeases(this.consumer, this.commands, body);
  }
}
