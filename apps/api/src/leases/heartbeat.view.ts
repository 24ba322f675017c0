import type { ExtendOutcome, TaskId, WorkerCommand } from '@app/queue';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Problem } from '../http/problem.js';
import { ProblemView } from '../http/problem.view.js';
import { commandField } from '../workers/worker.view.js';
import { ofTask, refusal } from './settle.view.js';

const leaseExpiresAtField = {
  description: 'Until when the lease holds now.',
  type: 'string',
  format: 'date-time',
  example: '2026-01-31T12:00:30.000Z',
} as const;

const cancelRequestedField = {
  description: 'Somebody asked the task to stop: let go of it, and settle it with `fail`.',
  example: false,
};

/** A lease that goes on. */
export class HeartbeatView {
  @ApiProperty(leaseExpiresAtField)
  leaseExpiresAt!: string;

  @ApiProperty(cancelRequestedField)
  cancelRequested!: boolean;
}

/** What became of one lease of many. */
export class HeartbeatOutcomeView {
  @ApiProperty({ description: 'The task.', example: 'emails~order-42' })
  id!: string;

  @ApiPropertyOptional(leaseExpiresAtField)
  leaseExpiresAt?: string;

  @ApiPropertyOptional(cancelRequestedField)
  cancelRequested?: boolean;

  @ApiPropertyOptional({ description: 'Where the lease is lost: why.', type: ProblemView })
  problem?: ProblemView;
}

/** What became of all leases of a worker. */
export class HeartbeatsView {
  @ApiProperty({ description: 'One per lease, in order.', type: [HeartbeatOutcomeView] })
  outcomes!: HeartbeatOutcomeView[];

  @ApiPropertyOptional(commandField)
  command?: WorkerCommand;
}

/** @throws QueueError where the lease is lost */
export function viewHeartbeat(id: TaskId, outcome: ExtendOutcome | undefined): HeartbeatView {
  if (!outcome) throw new Problem('internal');
  if (outcome.status === 'refused') throw ofTask(outcome.error, id);
  const { leaseExpiresAt, cancelRequested } = outcome;
  return { leaseExpiresAt: new Date(leaseExpiresAt).toISOString(), cancelRequested };
}

export function viewHeartbeatOutcome(id: TaskId, outcome: ExtendOutcome | undefined): HeartbeatOutcomeView {
  if (outcome?.status === 'refused') return { id, problem: refusal(outcome.error, id) };
  return { id, ...viewHeartbeat(id, outcome) };
}
