import { ApiProperty } from '@nestjs/swagger';
import { LeasedTaskView } from '../leases/lease.view.js';

/** Assignments of one session: one every millisecond for two thousand years. */
export const ASSIGNMENTS_MAX = 2 ** 46;

/** Tasks for the worker of this connection, each with the right to settle it. */
export class AssignedView {
  @ApiProperty({
    description:
      'Of the assignment; higher than that of every earlier one of the session. To be told with `credit`.',
    type: 'integer',
    example: 1,
  })
  number!: number;

  @ApiProperty({ description: 'In the order in which they are to start.', type: [LeasedTaskView] })
  items!: LeasedTaskView[];
}
