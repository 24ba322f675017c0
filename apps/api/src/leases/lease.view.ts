import type { Lease, LeasedTask, Task } from '@app/queue';
import { ApiProperty, ApiPropertyOptional, OmitType } from '@nestjs/swagger';
import { TaskView, viewTask } from '../tasks/task.view.js';

const NOT_OF_A_LEASE = [
  'state',
  'result',
  'progress',
  'failureReason',
  'runAt',
  'expiresAt',
  'startedAt',
  'finishedAt',
  'workerId',
  'leaseExpiresAt',
  'cancelRequested',
] as const;

/** A task with the right to settle it. */
export class LeasedTaskView extends OmitType(TaskView, NOT_OF_A_LEASE) {
  @ApiProperty({
    description: 'To be sent with everything that is said about this attempt. Opaque.',
    example: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
  })
  leaseToken!: string;

  @ApiProperty({
    description: 'Until when the worker must settle it or extend the lease.',
    type: 'string',
    format: 'date-time',
    example: '2026-01-31T12:00:30.000Z',
  })
  leaseExpiresAt!: string;
}

/** What was taken. */
export class LeaseView {
  @ApiProperty({ description: 'In the order in which they are to start.', type: [LeasedTaskView] })
  items!: LeasedTaskView[];

  @ApiProperty({ description: 'More is waiting that may start now.', example: false })
  more!: boolean;

  @ApiPropertyOptional({
    description:
      'Time until there may be something that cannot be taken now, in milliseconds: a task falls due, a rate allows the next start.',
    type: 'integer',
    example: 1500,
  })
  nextDueInMs?: number;
}

export function viewLease({ tasks, more, nextDueInMs }: Lease): LeaseView {
  return { items: tasks.map(viewLeasedTask), more, nextDueInMs };
}

export function viewLeasedTask(task: LeasedTask): LeasedTaskView {
  // What a lease does not say of its task is not in the view either, and a copy with more took a tenth of the time of a
  // request that takes 50.
  const view = viewTask(task as LeasedTask & Task) as TaskView & LeasedTaskView;
  view.leaseToken = task.leaseToken;
  return view;
}
