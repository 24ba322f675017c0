import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  LEASE_OUTCOMES,
  WORKER_COMMANDS,
  type LeaseOutcome,
  type RegisteredWorker,
  type Task,
  type WorkerActivity,
  type WorkerCommand,
} from '@app/queue';
import { nextCursor } from '../http/next-cursor.js';
import { TaskView, viewTask } from '../tasks/task.view.js';

const time = { type: 'string', format: 'date-time', example: '2026-01-31T12:00:00.000Z' } as const;

/** What is wanted of a worker. */
export const commandField = {
  description:
    'What an operator wants of it: `quiet`, to take no new tasks and finish what it has; `terminate`, to end after that as well. Absent: it is to work.',
  enum: WORKER_COMMANDS,
  example: 'quiet',
};

/** A worker as it is registered. */
export class RegistrationView {
  @ApiProperty({ description: 'As in its lease requests.', example: 'mailer-7f3a' })
  id!: string;

  @ApiProperty({ description: 'The queues it takes tasks from.', type: [String], example: ['emails'] })
  queues!: readonly string[];

  @ApiProperty({
    description: 'The task types it knows how to execute, if it said so.',
    type: [String],
    example: ['email.send'],
  })
  types!: readonly string[];

  @ApiProperty({
    description: 'What else tells it apart.',
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { gpu: 'a100', zone: 'eu' },
  })
  labels!: Readonly<Record<string, string>>;

  @ApiPropertyOptional({ description: 'The machine it runs on.', example: 'build-3' })
  host?: string;

  @ApiPropertyOptional({ description: 'Its process there.', type: 'integer', example: 4711 })
  pid?: number;

  @ApiPropertyOptional({ description: 'The version of its program.', example: '1.2.3' })
  version?: string;

  @ApiPropertyOptional(commandField)
  command?: WorkerCommand;

  @ApiProperty({ ...time, description: 'Since when it has been there.' })
  registeredAt!: string;

  @ApiProperty({ ...time, description: 'When it was last heard of.' })
  seenAt!: string;

  @ApiProperty({ ...time, description: 'When it is taken to be gone unless it is heard of again.' })
  expiresAt!: string;
}

/** How leases of a worker ended. */
export class WorkerTotalsView implements Record<LeaseOutcome, number> {
  @ApiProperty({ description: 'Tasks it completed.', type: 'integer', example: 120 })
  completed!: number;

  @ApiProperty({
    description: 'Attempts that failed and left the task in the dead-letter queue.',
    type: 'integer',
    example: 1,
  })
  failed!: number;

  @ApiProperty({
    description: 'Attempts that failed, of tasks that are tried again.',
    type: 'integer',
    example: 4,
  })
  retried!: number;

  @ApiProperty({ description: 'Tasks it gave back.', type: 'integer', example: 2 })
  released!: number;

  @ApiProperty({ description: 'Tasks it stopped when asked to.', type: 'integer', example: 0 })
  cancelled!: number;

  @ApiProperty({ description: 'Leases it let lapse.', type: 'integer', example: 0 })
  crashed!: number;
}

/** A worker, and what it does. */
export class WorkerView extends RegistrationView {
  @ApiProperty({
    description:
      'How many tasks it has leased in its queues now. A lease that lapsed counts until the task is given to somebody else.',
    type: 'integer',
    example: 3,
  })
  running!: number;

  @ApiProperty({
    description:
      'How its leases in its queues ended, as the service saw it. Kept for the workers that were last active in a queue.',
    type: WorkerTotalsView,
  })
  totals!: WorkerTotalsView;
}

/** A worker, what it does, and the tasks it has. */
export class WorkerDetailView extends WorkerView {
  @ApiProperty({
    description:
      'The tasks it has leased, by start, without payloads: all or, where there are more, any 100.',
    type: [TaskView],
  })
  tasks!: TaskView[];
}

/** A page of workers. */
export class WorkerPageView {
  @ApiProperty({
    description: 'The workers, by id; a page may be short, even empty, and yet have a next one.',
    type: [WorkerView],
  })
  items!: WorkerView[];

  @ApiProperty(nextCursor)
  nextCursor!: string | null;
}

export function viewRegistration({
  registeredAt,
  seenAt,
  expiresAt,
  ...said
}: RegisteredWorker): RegistrationView {
  return {
    ...said,
    registeredAt: new Date(registeredAt).toISOString(),
    seenAt: new Date(seenAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
  };
}

export function viewWorker(worker: RegisteredWorker, activities: readonly WorkerActivity[]): WorkerView {
  const total = (outcome: LeaseOutcome) => activities.reduce((sum, { totals }) => sum + totals[outcome], 0);
  return {
    ...viewRegistration(worker),
    running: activities.reduce((sum, { running }) => sum + running, 0),
    totals: Object.fromEntries(
      LEASE_OUTCOMES.map((outcome) => [outcome, total(outcome)]),
    ) as unknown as WorkerTotalsView,
  };
}

export function viewWorkerDetail(
  worker: RegisteredWorker,
  activities: readonly WorkerActivity[],
  tasks: readonly Task[],
): WorkerDetailView {
  return { ...viewWorker(worker, activities), tasks: tasks.map((task) => viewTask(task)) };
}
