import type { Consumer } from '@app/queue';
import type { WorkerCommands } from '../workers/worker-commands.js';
import { toExtensions, type HeartbeatsDto } from './heartbeat.dto.js';
import { viewHeartbeatOutcome, type HeartbeatsView } from './heartbeat.view.js';
import { toLeaseMs } from './lease.dto.js';

/** The heartbeat of everything that a worker holds. @throws Problem where nothing was extended */
export async function extendLeases(
  consumer: Consumer,
  commands: WorkerCommands,
  body: HeartbeatsDto,
): Promise<HeartbeatsView> {
  const extensions = toExtensions(body);
  const [outcomes, command] = await Promise.all([
    consumer.extend(extensions, toLeaseMs(body.extend)),
    body.workerId === undefined ? undefined : commands.of(body.workerId),
  ]);
  return {
    command,
    outcomes: extensions.map(({ id }, index) => viewHeartbeatOutcome(id, outcomes[index])),
  };
}
