import {
  completeRetry,
  LIMITS,
  parsePriority,
  PRIORITY_NAMES,
  type NewTask,
  type RetryPolicy,
} from '@app/queue';
import { Excludes, Field, NestedField } from '../http/field.js';
import { Problem } from '../http/problem.js';
import * as is from '../http/rule.js';

/** A priority by number or name. `parsePriority` gives the number. */
export const priorityRule = is.either(
  `must be an integer from 1 to 6 or one of ${PRIORITY_NAMES.join(', ')}`,
  [is.integer(1, 6), is.choice(PRIORITY_NAMES)],
);

const retryDelay = is.duration(0, LIMITS.retryDelayMsMax);

/** How often and when a task whose handler failed is tried again. */
export class RetryDto {
  @Field(is.integer(1, LIMITS.retryAttemptsMax), {
    description: 'Failures after which the task goes to the dead-letter queue; 1: never tried again.',
    default: 3,
    example: 5,
  })
  maxAttempts?: number;

  @Field(
    is.either(`must be exponential, linear, fixed or a list of 1 to ${LIMITS.retryDelaysMax} delays`, [
      is.choice(['exponential', 'linear', 'fixed']),
      is.listOf(retryDelay, 1, LIMITS.retryDelaysMax),
    ]),
    {
      description: 'How the delay grows with each failure, or the delays themselves, the last one repeating.',
      default: 'exponential',
      example: 'exponential',
    },
  )
  backoff?: 'exponential' | 'linear' | 'fixed' | (number | string)[];

  @Field(retryDelay, { description: 'Base of the delay.', default: 1_000, example: '2s' })
  delay?: number | string;

  @Field(retryDelay, { description: 'No delay is longer, before jitter.', default: '5m', example: '10m' })
  maxDelay?: number | string;

  @Field(is.choice(['none', 'full', 'equal']), {
    description: 'none: the delay itself; full: between 0 and it; equal: between half of it and it.',
    default: 'equal',
    example: 'full',
  })
  jitter?: 'none' | 'full' | 'equal';
}

/** A task as submitted. */
export class SubmitTaskDto {
  @Field(is.name('type'), {
    required: true,
    description: 'Names the code that executes the task.',
    example: 'email.send',
  })
  type!: string;

  @Field(is.anything(), {
    description: `Any JSON for the handler, up to ${LIMITS.payloadBytesMax} bytes.`,
    example: { to: 'ada@example.com', template: 'welcome' },
  })
  payload?: unknown;

  @Field(is.name('queue'), {
    description:
      'Where the task waits. Default: the queue that workers announced for its type, else "default".',
    example: 'emails',
  })
  queue?: string;

  @Field(priorityRule, {
    description: '1 (very_low) to 6 (critical); higher starts first.',
    default: 3,
    example: 'high',
  })
  priority?: number | string;

  @Field(is.name('tenant'), {
    description: 'On whose behalf the task runs. Tenants of one queue and priority share workers fairly.',
    default: 'default',
    example: 'acme',
  })
  tenant?: string;

  @Field(is.duration(0, LIMITS.delayMsMax), {
    description: 'Start no earlier than this long after acceptance. Not together with runAt.',
    example: '5m',
  })
  delay?: number | string;

  @Field(is.time(), {
    description: 'Start no earlier than this moment; at once if it has passed. Not together with delay.',
    example: '2026-12-24T18:00:00Z',
  })
  @Excludes('delay')
  runAt?: string;

  @Field(is.duration(1, LIMITS.delayMsMax), {
    description:
      'The task expires if it has not started this long after acceptance, or after delay or runAt.',
    example: '1h',
  })
  ttl?: number | string;

  @Field(is.duration(1, LIMITS.timeoutMsMax), {
    description: "How long one attempt may run. Default: the worker's.",
    example: '30s',
  })
  timeout?: number | string;

  @NestedField(RetryDto, {
    description:
      "When a failed attempt is tried again. Default: the worker's for the type, else as given here.",
  })
  retry?: RetryDto;

  @Field(is.name('key'), {
    description:
      'Of the tasks with the same orderingKey and tenant one runs at a time, to its end, retries included; they start in the order in which they became pending within their priority.',
    example: 'account-7',
  })
  orderingKey?: string;

  @Field(is.listOf(is.name('tag'), 0, LIMITS.tagsMax), {
    description: 'Words to find the task by.',
    example: ['newsletter'],
  })
  tags?: string[];

  @Field(is.mapOf(is.name('metadataKey'), is.text(LIMITS.metadataValueCharsMax), LIMITS.metadataEntriesMax), {
    description: "The caller's own notes, kept with the task.",
    example: { source: 'signup' },
  })
  metadata?: Record<string, string>;

  @Field(is.name('key'), {
    description:
      'The part of the task id after "~". Makes the submission idempotent by itself. Default: a ULID.',
    example: 'order-42',
  })
  id?: string;
}

/**
 * The port's form of a checked submission. `at` leads to it in the request's body.
 *
 * @throws Problem `payload-too-large`
 */
export function toNewTask(dto: SubmitTaskDto, idempotency?: NewTask['idempotency'], at = ''): NewTask {
  const payload = dto.payload === undefined ? undefined : JSON.stringify(dto.payload);
  if (payload !== undefined && Buffer.byteLength(payload) > LIMITS.payloadBytesMax) {
    const detail = `must not be longer than ${LIMITS.payloadBytesMax} bytes of JSON`;
    throw new Problem('payload-too-large', {
      detail: `payload ${detail}.`,
      errors: [{ pointer: `${at}/payload`, detail }],
    });
  }
  return {
    type: dto.type,
    queue: dto.queue,
    key: dto.id,
    payload,
    tenant: dto.tenant,
    priority: parsePriority(dto.priority),
    delayMs: is.readDurationMs(dto.delay),
    runAtMs: dto.runAt === undefined ? undefined : Date.parse(dto.runAt),
    ttlMs: is.readDurationMs(dto.ttl),
    timeoutMs: is.readDurationMs(dto.timeout),
    retry: dto.retry && toRetryPolicy(dto.retry),
    orderingKey: dto.orderingKey,
    tags: dto.tags,
    metadata: dto.metadata,
    idempotency,
  };
}

function toRetryPolicy({ maxAttempts, backoff, delay, maxDelay, jitter }: RetryDto): RetryPolicy {
  return completeRetry({
    maxAttempts,
    backoff: Array.isArray(backoff) ? backoff.map((one) => is.readDurationMs(one) ?? 0) : backoff,
    delayMs: is.readDurationMs(delay),
    maxDelayMs: is.readDurationMs(maxDelay),
    jitter,
  });
}
