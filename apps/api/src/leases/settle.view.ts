import { QueueError, TASK_STATES, type SettleOutcome, type TaskId, type TaskState } from '@app/queue';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Problem, problemOf } from '../http/problem.js';
import { ProblemView } from '../http/problem.view.js';
import { LeaseView } from './lease.view.js';

const stateField = {
  description:
    'What the settlement led to; of a repeat, what it led to the first time. `cancelled` where somebody asked the task to stop and it did not complete.',
  enum: TASK_STATES,
  example: 'completed',
};

/** A lease that has ended. */
export class SettledView {
  @ApiProperty({ description: 'The task.', example: 'emails~order-42' })
  id!: string;

  @ApiProperty(stateField)
  state!: TaskState;
}

/** What became of one settlement of many. */
export class SettleOutcomeView {
  @ApiProperty({ description: 'The task.', example: 'emails~order-42' })
  id!: string;

  @ApiPropertyOptional(stateField)
  state?: TaskState;

  @ApiPropertyOptional({ description: 'Where it was refused: why.', type: ProblemView })
  problem?: ProblemView;
}

/** What became of many settlements. */
export class SettlementsView {
  @ApiProperty({ description: 'One per settlement, in order.', type: [SettleOutcomeView] })
  outcomes!: SettleOutcomeView[];
}

/** What became of many settlements, and what was taken. */
export class SettleView extends SettlementsView {
  @ApiPropertyOptional({
    description: 'With `next`: what was taken. Without items there was nothing to take.',
    type: LeaseView,
  })
  lease?: LeaseView;
}

/** @throws QueueError where it was refused */
export function viewSettled(id: TaskId, outcome: SettleOutcome | undefined): SettledView {
  if (!outcome) throw new Problem('internal');
  if (outcome.status === 'refused') throw ofTask(outcome.error, id);
  return { id, state: outcome.state };
}

export function viewSettleOutcome(id: TaskId, outcome: SettleOutcome | undefined): SettleOutcomeView {
  if (!outcome) throw new Problem('internal');
  return outcome.status === 'settled'
    ? { id, state: outcome.state }
    : { id, problem: refusal(outcome.error, id) };
}

/** The refusal of one of many. */
export function refusal(error: QueueError, id: TaskId): ProblemView {
  return problemOf(ofTask(error, id)).body() as ProblemView;
}

/** The error, naming the task as the caller did. */
export function ofTask({ code, data }: QueueError, id: TaskId): QueueError {
  return new QueueError(code, { ...data, taskId: id });
}
