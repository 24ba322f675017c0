import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { QueueOverview, QueueSettings, StateCounts } from '@app/queue';
import { nextCursor } from '../http/next-cursor.js';
import { QueueSettingsView, viewQueueSettings } from './queue-settings.view.js';
import { stateCountsSchema } from './state-counts.js';

/** A queue in a list. */
export class QueueSummaryView {
  @ApiProperty({ description: 'Its name.', example: 'emails' })
  queue!: string;

  @ApiProperty({ description: 'Nothing starts until it is resumed.', example: false })
  paused!: boolean;

  @ApiProperty({ description: 'Nothing new is accepted until it is resumed.', example: false })
  draining!: boolean;

  @ApiProperty({
    description: 'How many tasks wait: scheduled, pending and retrying.',
    type: 'integer',
    example: 12,
  })
  backlog!: number;

  @ApiProperty({ ...stateCountsSchema, description: 'How many tasks are in each state.' })
  states!: StateCounts;

  @ApiPropertyOptional({
    description: 'How long the oldest pending task has been pending, in milliseconds; absent where none is.',
    type: 'integer',
    example: 1500,
  })
  oldestPendingAgeMs?: number;

  @ApiPropertyOptional({
    description: 'Milliseconds until the next scheduled or retrying task is due; negative when overdue.',
    type: 'integer',
    example: 30000,
  })
  nextDueInMs?: number;
}

/** A page of queues. */
export class QueuePageView {
  @ApiProperty({ description: 'The queues, by name.', type: [QueueSummaryView] })
  items!: QueueSummaryView[];

  @ApiProperty(nextCursor)
  nextCursor!: string | null;
}

/** A queue and what was set for it. */
export class QueueView extends QueueSummaryView {
  @ApiProperty({ description: 'What was set. What is absent has its default.', type: QueueSettingsView })
  settings!: QueueSettingsView;
}

export function viewSummary(overview: QueueOverview): QueueSummaryView {
  const { queue, paused, draining, backlog, states, oldestPendingAgeMs, nextDueInMs } = overview;
  return { queue, paused, draining, backlog, states, oldestPendingAgeMs, nextDueInMs };
}

export function viewQueue(overview: QueueOverview, settings: QueueSettings): QueueView {
  return { ...viewSummary(overview), settings: viewQueueSettings(settings) };
}
