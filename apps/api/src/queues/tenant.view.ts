import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { TenantOverview } from '@app/queue';
import { nextCursor } from '../http/next-cursor.js';
import { TenantSettingsView, viewTenantSettings } from './queue-settings.view.js';
import { viewWaits, WaitClassView } from './wait-class.view.js';

/** What a tenant has in a queue. */
export class TenantView {
  @ApiProperty({ description: 'Its name.', example: 'acme' })
  tenant!: string;

  @ApiProperty({ description: 'None of its tasks starts until it is resumed.', example: false })
  paused!: boolean;

  @ApiProperty({
    description: 'How many of its tasks wait: scheduled, pending and retrying.',
    type: 'integer',
    example: 12,
  })
  backlog!: number;

  @ApiProperty({ description: 'How many of its tasks run.', type: 'integer', example: 3 })
  running!: number;

  @ApiPropertyOptional({
    description:
      'How long its oldest pending task has been pending, in milliseconds; absent where none is, and in fifo queues.',
    type: 'integer',
    example: 1500,
  })
  oldestPendingAgeMs?: number;

  @ApiProperty({
    description: 'How many of its tasks have started in this minute.',
    type: 'integer',
    example: 4,
  })
  startedThisMinute!: number;

  @ApiProperty({ description: 'And in the minute before.', type: 'integer', example: 10 })
  startedLastMinute!: number;

  @ApiProperty({
    description:
      'How long its tasks had been pending when they started, in classes from short to long. Forgotten when it has had no tasks for a day.',
    type: [WaitClassView],
  })
  waits!: WaitClassView[];

  @ApiProperty({
    description: 'Its own settings. What is absent is as for every tenant of the queue.',
    type: TenantSettingsView,
  })
  settings!: TenantSettingsView;
}

/** A page of tenants. */
export class TenantPageView {
  @ApiProperty({ description: 'The tenants, those with many open tasks first.', type: [TenantView] })
  items!: TenantView[];

  @ApiProperty(nextCursor)
  nextCursor!: string | null;
}

export function viewTenant(overview: TenantOverview): TenantView {
  const { tenant, paused, backlog, running, oldestPendingAgeMs } = overview;
  const { startedThisMinute, startedLastMinute, waits, settings } = overview;
  return {
    tenant,
    paused,
    backlog,
    running,
    oldestPendingAgeMs,
    startedThisMinute,
    startedLastMinute,
    waits: viewWaits(waits),
    settings: viewTenantSettings(settings),
  };
}
