import {
  LIMITS,
  PRIORITIES,
  PRIORITY_NAMES,
  type PriorityName,
  type PriorityPolicy,
  type QueueSettings,
  type Rate,
  type TenantSettings,
} from '@app/queue';
import { Field, NestedField, OnlyWith } from '../http/field.js';
import * as is from '../http/rule.js';

/** Starts per time. */
export class RateDto {
  @Field(is.integer(1, LIMITS.rateMax), {
    required: true,
    description: 'At most so many starts.',
    example: 100,
  })
  limit!: number;

  @Field(is.duration(1, LIMITS.ratePerMsMax), {
    required: true,
    description: 'In so long, spread evenly.',
    example: '1s',
  })
  per!: number | string;

  @Field(is.integer(1, LIMITS.rateMax), {
    description: 'So many may start at once after a pause. Default: a tenth of a second’s worth, at least 1.',
    example: 10,
  })
  burst?: number;
}

/** What a tenant may do in a queue. What is left out is as for every tenant of the queue. */
export class TenantSettingsDto {
  @Field(is.integer(1, LIMITS.weightMax), {
    description: 'Its share of the workers is in proportion to its weight. Default: 1.',
    example: 2,
  })
  weight?: number;

  @Field(is.integer(1, LIMITS.concurrencyMax), {
    description: 'At most so many of its tasks run at once. Default: no limit.',
    example: 5,
  })
  concurrency?: number;

  @NestedField(RateDto, { description: 'How fast its tasks may start. Default: no limit.' })
  rate?: RateDto;

  @Field(is.integer(1, LIMITS.backlogMax), {
    description:
      'At most so many of its tasks wait; a submission beyond is refused with `backlog-full`. Default: no limit.',
    example: 1_000,
  })
  backlog?: number;
}

/** Which priority goes next. */
export class PriorityPolicyDto {
  @Field(is.choice(['strict', 'weighted', 'off']), {
    required: true,
    description:
      'strict: the highest that has something, but nobody waits far beyond `maxWait`. weighted: all of them, in proportion to `weights`. off: priorities mean nothing to tasks that become pending from then on.',
    example: 'strict',
  })
  policy!: PriorityPolicy['policy'];

  @Field(is.someOf(PRIORITY_NAMES, is.orNull(is.duration(0, LIMITS.delayMsMax))), {
    description:
      'Only with strict. A priority whose oldest task has waited longer gets one of two starts; null: never. Default: very_low 2h, low 30m, normal 5m, high 30s, very_high 5s, critical 1s.',
    example: { low: '30m', very_low: null },
  })
  @OnlyWith('policy', 'strict')
  maxWait?: Partial<Record<PriorityName, number | string | null>>;

  @Field(is.someOf(PRIORITY_NAMES, is.integer(1, LIMITS.weightMax)), {
    description:
      'Only with weighted. Default: very_low 1, low 2, normal 4, high 8, very_high 16, critical 32.',
    example: { critical: 10, normal: 5 },
  })
  @OnlyWith('policy', 'weighted')
  weights?: Partial<Record<PriorityName, number>>;
}

/** All that an operator decides about a queue. What is left out has its default. */
export class QueueSettingsDto {
  @Field(is.choice(['fair', 'fifo']), {
    description:
      'fair: tenants share, priorities matter. fifo: one task after the other to its end, whatever its tenant and priority, one that is retried holding up the others. Can be changed only while nothing waits or runs. Default: fair.',
    example: 'fair',
  })
  mode?: QueueSettings['mode'];

  @NestedField(PriorityPolicyDto, { description: 'Which priority goes next. Default: strict.' })
  priority?: PriorityPolicyDto;

  @Field(is.integer(1, LIMITS.concurrencyMax), {
    description: 'At most so many tasks run at once, on all workers together. Default: no limit.',
    example: 50,
  })
  concurrency?: number;

  @NestedField(RateDto, {
    description: 'How fast tasks may start, on all workers together. Default: no limit.',
  })
  rate?: RateDto;

  @Field(is.integer(1, LIMITS.backlogMax), {
    description:
      'At most so many tasks wait; a submission beyond is refused with `backlog-full`. Default: no limit.',
    example: 100_000,
  })
  backlog?: number;

  @NestedField(TenantSettingsDto, {
    description: 'For every tenant, where it has no setting of its own. Default: weight 1, no limits.',
  })
  tenants?: TenantSettingsDto;

  @Field(is.integer(1, LIMITS.partitionsMax), {
    description: 'Parts over which the queue is spread. Can be raised, not lowered. Default: 1.',
    example: 1,
  })
  partitions?: number;
}

/** The port's form of checked settings. */
export function toQueueSettings(dto: QueueSettingsDto): QueueSettings {
  const { mode, priority, concurrency, rate, backlog, tenants, partitions } = dto;
  return given({
    mode,
    priority: priority && toPriorityPolicy(priority),
    concurrency,
    rate: rate && toRate(rate),
    backlog,
    tenants: tenants && toTenantSettings(tenants),
    partitions,
  });
}

/** The port's form of checked settings. */
export function toTenantSettings({ weight, concurrency, rate, backlog }: TenantSettingsDto): TenantSettings {
  return given({ weight, concurrency, rate: rate && toRate(rate), backlog });
}

function toRate({ limit, per, burst }: RateDto): Rate {
  return given({ limit, perMs: is.readDurationMs(per) ?? 0, burst });
}

function toPriorityPolicy({ policy, maxWait, weights }: PriorityPolicyDto): PriorityPolicy {
  if (policy === 'off') return { policy };
  if (policy === 'weighted') return given({ policy, weights: weights && byNumber(weights, (one) => one) });
  const maxWaitMs =
    maxWait && byNumber(maxWait, (one) => (one === null ? null : (is.readDurationMs(one) ?? 0)));
  return given({ policy, maxWaitMs });
}

function byNumber<T, U>(byName: Partial<Record<PriorityName, T>>, convert: (value: T) => U) {
  const entries = Object.entries(byName) as [PriorityName, T][];
  return Object.fromEntries(entries.map(([name, value]) => [PRIORITIES[name], convert(value)]));
}

/** Without the fields that were left out: settings are laid over each other, and a field that is there counts. */
function given<T extends object>(settings: T): T {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as T;
}
