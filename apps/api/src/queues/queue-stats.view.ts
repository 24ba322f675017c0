import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  MINUTE_EVENTS,
  PRIORITY_NAMES,
  PRIORITIES,
  type MinuteCounts,
  type PriorityName,
  type QueueOverview,
  type StateCounts,
} from '@app/queue';
import { count, stateCountsSchema } from './state-counts.js';
import { viewWaits, WaitClassView } from './wait-class.view.js';

const minuteSchema = {
  type: 'object' as const,
  properties: {
    at: { type: 'string', format: 'date-time' },
    ...Object.fromEntries(MINUTE_EVENTS.map((event) => [event, count])),
  },
  required: ['at', ...MINUTE_EVENTS],
};

/** A queue in numbers. */
export class QueueStatsView {
  @ApiProperty({ description: 'Its name.', example: 'emails' })
  queue!: string;

  @ApiProperty({ ...stateCountsSchema, description: 'How many tasks are in each state.' })
  states!: StateCounts;

  @ApiPropertyOptional({
    description: 'How long the oldest pending task has been pending, in milliseconds; absent where none is.',
    type: 'integer',
    example: 1500,
  })
  oldestPendingAgeMs?: number;

  @ApiProperty({
    description: 'States of the tasks of each priority.',
    type: 'object',
    properties: Object.fromEntries(PRIORITY_NAMES.map((name) => [name, stateCountsSchema])),
    required: [...PRIORITY_NAMES],
  })
  priorities!: Record<PriorityName, StateCounts>;

  @ApiProperty({
    description: 'States of the tasks of the types with the most tasks, at most 100.',
    type: 'object',
    additionalProperties: stateCountsSchema,
  })
  types!: Record<string, StateCounts>;

  @ApiProperty({
    description:
      'How long the tasks that started in these minutes had been pending, in classes from short to long.',
    type: [WaitClassView],
  })
  waits!: WaitClassView[];

  @ApiProperty({
    description: 'What happened in the last whole minutes, newest first, at most 60.',
    type: 'array',
    items: minuteSchema,
  })
  minutes!: (Omit<MinuteCounts, 'at'> & { at: string })[];
}

export function viewQueueStats(overview: QueueOverview): QueueStatsView {
  const { queue, states, oldestPendingAgeMs, priorities, types, waits, minutes } = overview;
  const named = PRIORITY_NAMES.map((name) => [name, priorities[PRIORITIES[name]]]);
  return {
    queue,
    states,
    oldestPendingAgeMs,
    priorities: Object.fromEntries(named) as Record<PriorityName, StateCounts>,
    types,
    waits: viewWaits(waits),
    minutes: minutes.map((minute) => ({ ...minute, at: new Date(minute.at).toISOString() })),
  };
}
