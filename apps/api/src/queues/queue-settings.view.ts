import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  PRIORITY_NAMES,
  priorityName,
  type Priority,
  type PriorityName,
  type PriorityPolicy,
  type QueueSettings,
  type Rate,
  type TenantSettings,
} from '@app/queue';

const integer = { type: 'integer', minimum: 0 } as const;

/*
 * Settings are shown in the form in which they are sent, so that what a client reads it can change and send back. Lengths of
 * time are integer milliseconds, which are a way of sending them too.
 */

/** Starts per time. */
export class RateView {
  @ApiProperty({ description: 'At most so many starts.', type: 'integer', example: 100 })
  limit!: number;

  @ApiProperty({ description: 'In so many milliseconds.', type: 'integer', example: 1000 })
  per!: number;

  @ApiPropertyOptional({
    description: 'So many at once after a pause.',
    type: 'integer',
    example: 10,
  })
  burst?: number;
}

/** What was set for a tenant, or for all of them. What was not is absent. */
export class TenantSettingsView {
  @ApiPropertyOptional({ description: 'Its share is in proportion to it.', type: 'integer', example: 2 })
  weight?: number;

  @ApiPropertyOptional({ description: 'At most so many run at once.', type: 'integer', example: 5 })
  concurrency?: number;

  @ApiPropertyOptional({ description: 'How fast its tasks may start.', type: RateView })
  rate?: RateView;

  @ApiPropertyOptional({ description: 'At most so many wait.', type: 'integer', example: 1000 })
  backlog?: number;
}

/** Which priority goes next. */
export class PriorityPolicyView {
  @ApiProperty({
    description: 'How it is chosen.',
    enum: ['strict', 'weighted', 'off'],
    example: 'strict',
  })
  policy!: PriorityPolicy['policy'];

  @ApiPropertyOptional({
    description: 'Of strict: milliseconds by priority, null where there is no bound.',
    type: 'object',
    properties: Object.fromEntries(
      PRIORITY_NAMES.map((name) => [name, { oneOf: [integer, { type: 'null' }] }]),
    ),
    example: { low: 1_800_000, very_low: null },
  })
  maxWait?: Partial<Record<PriorityName, number | null>>;

  @ApiPropertyOptional({
    description: 'Of weighted: the weights by priority.',
    type: 'object',
    properties: Object.fromEntries(PRIORITY_NAMES.map((name) => [name, integer])),
    example: { critical: 10, normal: 5 },
  })
  weights?: Partial<Record<PriorityName, number>>;
}

/** What was set for a queue. What was not is absent and has its default. */
export class QueueSettingsView {
  @ApiPropertyOptional({ description: 'How it is worked off.', enum: ['fair', 'fifo'], example: 'fair' })
  mode?: QueueSettings['mode'];

  @ApiPropertyOptional({ description: 'Which priority goes next.', type: PriorityPolicyView })
  priority?: PriorityPolicyView;

  @ApiPropertyOptional({ description: 'At most so many tasks run at once.', type: 'integer', example: 50 })
  concurrency?: number;

  @ApiPropertyOptional({ description: 'How fast tasks may start.', type: RateView })
  rate?: RateView;

  @ApiPropertyOptional({ description: 'At most so many tasks wait.', type: 'integer', example: 100000 })
  backlog?: number;

  @ApiPropertyOptional({
    description: 'For every tenant without a setting of its own.',
    type: TenantSettingsView,
  })
  tenants?: TenantSettingsView;

  @ApiPropertyOptional({ description: 'Parts over which it is spread.', type: 'integer', example: 1 })
  partitions?: number;
}

export function viewQueueSettings(settings: QueueSettings): QueueSettingsView {
  const { mode, priority, concurrency, rate, backlog, tenants, partitions } = settings;
  return {
    mode,
    priority: priority && viewPriorityPolicy(priority),
    concurrency,
    rate: rate && viewRate(rate),
    backlog,
    tenants: tenants && viewTenantSettings(tenants),
    partitions,
  };
}

export function viewTenantSettings(settings: TenantSettings): TenantSettingsView {
  const { weight, concurrency, rate, backlog } = settings;
  return { weight, concurrency, rate: rate && viewRate(rate), backlog };
}

function viewRate({ limit, perMs, burst }: Rate): RateView {
  return { limit, per: perMs, burst };
}

function viewPriorityPolicy(priority: PriorityPolicy): PriorityPolicyView {
  const { policy } = priority;
  if (policy === 'strict') return { policy, maxWait: byName(priority.maxWaitMs) };
  if (policy === 'weighted') return { policy, weights: byName(priority.weights) };
  return { policy };
}

function byName<T>(byNumber: Partial<Record<Priority, T>> | undefined) {
  if (!byNumber) return undefined;
  const entries = Object.entries(byNumber) as [string, T][];
  return Object.fromEntries(
    entries.map(([priority, value]) => [priorityName(Number(priority) as Priority), value]),
  );
}
