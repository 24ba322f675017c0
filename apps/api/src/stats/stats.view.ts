import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { StateCounts } from '@app/queue';
import { stateCountsSchema } from '../queues/state-counts.js';

/** Counts over all queues. */
export class StatsView {
  @ApiProperty({ description: 'How many queues there are.', type: 'integer', example: 3 })
  queues!: number;

  @ApiProperty({ ...stateCountsSchema, description: 'How many tasks are in each state.' })
  states!: StateCounts;

  @ApiPropertyOptional({
    description:
      'How long the oldest pending task of all has been pending, in milliseconds; absent where none is.',
    type: 'integer',
    example: 1500,
  })
  oldestPendingAgeMs?: number;
}
