import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  LOWEST_PRIORITY,
  MINUTE_EVENTS,
  PRIORITY_NAMES,
  TASK_STATES,
  type MinuteCounts,
  type Priority,
  type QueueOverview,
  type StateCounts,
} from '@app/queue';

const count = { type: 'integer', minimum: 0 } as const;

/** Schema of the counts by state. */
export const stateCountsSchema = {
  type: 'object' as const,
  properties: Object.fromEntries(TASK_STATES.map((state) => [state, count])),
  required: [...TASK_STATES],
  additionalProperties: false,
  example: Object.fromEntries(TASK_STATES.map((state) => [state, state === 'pending' ? 12 : 0])),
};

const minuteSchema = {
  type: 'object' as const,
  properties: {
    at: { type: 'string', format: 'date-time' },
    ...Object.fromEntries(MINUTE_EVENTS.map((event) => [event, count])),
  },
  required: ['at', ...MINUTE_EVENTS],
};

/** A queue in a list. */
export class QueueSummaryView {
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
}

/** A page of queues. */
export class QueuePageView {
  @ApiProperty({ description: 'The queues, by name.', type: [QueueSummaryView] })
  items!: QueueSummaryView[];

  @ApiProperty({
    description: 'Where the next page begins; null at the end.',
    type: 'string',
    nullable: true,
    example: null,
  })
  nextCursor!: string | null;
}

/** A queue in full. */
export class QueueView extends QueueSummaryView {
  @ApiProperty({
    description: 'States of the tasks of each priority.',
    type: 'object',
    properties: Object.fromEntries(PRIORITY_NAMES.map((name) => [name, stateCountsSchema])),
    required: [...PRIORITY_NAMES],
  })
  priorities!: Record<string, StateCounts>;

  @ApiProperty({
    description: 'States of the tasks of the types with the most tasks, at most 100.',
    type: 'object',
    additionalProperties: stateCountsSchema,
  })
  types!: Record<string, StateCounts>;

  @ApiPropertyOptional({
    description: 'Milliseconds until the next scheduled or retrying task is due; negative when overdue.',
    type: 'integer',
    example: 30000,
  })
  nextDueInMs?: number;

  @ApiProperty({
    description: 'What happened in the last whole minutes, newest first, at most 60.',
    type: 'array',
    items: minuteSchema,
  })
  minutes!: (Omit<MinuteCounts, 'at'> & { at: string })[];
}

export function viewSummary({ queue, states, oldestPendingAgeMs }: QueueOverview): QueueSummaryView {
  return { queue, states, oldestPendingAgeMs };
}

export function viewQueue(overview: QueueOverview): QueueView {
  const { priorities, types, nextDueInMs, minutes } = overview;
  const named = PRIORITY_NAMES.map((name, index) => [
    name,
    priorities[(LOWEST_PRIORITY + index) as Priority],
  ]);
  return {
    ...viewSummary(overview),
    priorities: Object.fromEntries(named) as Record<string, StateCounts>,
    types,
    nextDueInMs,
    minutes: minutes.map((minute) => ({ ...minute, at: new Date(minute.at).toISOString() })),
  };
}
