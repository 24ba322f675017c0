import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ANY_JSON } from '../http/rule.js';
import {
  priorityName,
  PRIORITY_NAMES,
  TASK_STATES,
  type AttemptError,
  type JsonText,
  type RetryPolicy,
  type Task,
  type TaskState,
} from '@app/queue';

const time = { type: 'string', format: 'date-time', example: '2026-01-31T12:00:00.000Z' } as const;

/** A failed or crashed attempt. */
export class AttemptErrorView {
  @ApiProperty({ description: 'Which attempt, from 1.', type: 'integer', example: 1 })
  attempt!: number;

  @ApiProperty({ ...time, description: 'When.' })
  at!: string;

  @ApiProperty({ description: 'What went wrong, in words.', example: 'connect ECONNREFUSED' })
  message!: string;

  @ApiPropertyOptional({ description: 'The same for programs.', example: 'timeout' })
  code?: string;

  @ApiPropertyOptional({ description: 'Anything the handler added.', anyOf: ANY_JSON })
  details?: unknown;

  @ApiPropertyOptional({ description: 'Who made the attempt.', example: 'worker-1' })
  workerId?: string;
}

/** When a failed attempt is tried again. */
export class RetryView {
  @ApiProperty({ description: 'Failures after which the task is failed.', type: 'integer', example: 3 })
  maxAttempts!: number;

  @ApiProperty({
    description: 'How the delay grows, or the delays in milliseconds.',
    oneOf: [
      { type: 'string', enum: ['exponential', 'linear', 'fixed'] },
      { type: 'array', items: { type: 'integer' } },
    ],
    example: 'exponential',
  })
  backoff!: RetryPolicy['backoff'];

  @ApiProperty({ description: 'Base of the delay in milliseconds.', type: 'integer', example: 1000 })
  delayMs!: number;

  @ApiProperty({
    description: 'Longest delay in milliseconds, before jitter.',
    type: 'integer',
    example: 300000,
  })
  maxDelayMs!: number;

  @ApiProperty({ description: 'How the delay is spread.', enum: ['none', 'full', 'equal'], example: 'equal' })
  jitter!: RetryPolicy['jitter'];
}

/** A task as the API shows it. Fields that do not apply are absent. */
export class TaskView {
  @ApiProperty({ description: 'queue~key.', example: 'emails~order-42' })
  id!: string;

  @ApiProperty({ description: 'Where it waits.', example: 'emails' })
  queue!: string;

  @ApiProperty({ description: 'Names the code that executes it.', example: 'email.send' })
  type!: string;

  @ApiProperty({ description: 'Where it is in its life.', enum: TASK_STATES, example: 'pending' })
  state!: TaskState;

  @ApiProperty({ description: 'On whose behalf it runs.', example: 'acme' })
  tenant!: string;

  @ApiProperty({
    description: '1 to 6; higher starts first.',
    type: 'integer',
    minimum: 1,
    maximum: 6,
    example: 4,
  })
  priority!: number;

  @ApiProperty({ description: 'The priority in words.', enum: PRIORITY_NAMES, example: 'high' })
  priorityName!: string;

  @ApiPropertyOptional({
    description: 'As submitted. Absent in lists unless `view=full`.',
    anyOf: ANY_JSON,
    example: { to: 'ada@example.com' },
  })
  payload?: unknown;

  @ApiPropertyOptional({
    description: 'What the handler returned. Absent in lists unless `view=full`.',
    anyOf: ANY_JSON,
  })
  result?: unknown;

  @ApiPropertyOptional({ description: 'What the handler last reported.', anyOf: ANY_JSON })
  progress?: unknown;

  @ApiProperty({
    description: 'Attempts started so far; 0 before the first.',
    type: 'integer',
    example: 0,
  })
  attempt!: number;

  @ApiProperty({
    description: 'Failed attempts since submission or the latest retry.',
    type: 'integer',
    example: 0,
  })
  failures!: number;

  @ApiProperty({
    description: 'Lost leases since submission or the latest retry.',
    type: 'integer',
    example: 0,
  })
  crashes!: number;

  @ApiProperty({
    description: 'The latest errors, oldest first. Empty in lists unless `view=full`.',
    type: [AttemptErrorView],
  })
  errors!: AttemptErrorView[];

  @ApiPropertyOptional({
    description: 'Why it is in the dead-letter queue.',
    enum: ['attempts-exhausted', 'not-retryable', 'crashed'],
  })
  failureReason?: string;

  @ApiProperty({ description: 'Words to find it by.', type: [String], example: ['newsletter'] })
  tags!: readonly string[];

  @ApiProperty({
    description: "The caller's own notes.",
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { source: 'signup' },
  })
  metadata!: Readonly<Record<string, string>>;

  @ApiPropertyOptional({
    description: "When it is tried again. Absent: the worker's default.",
    type: RetryView,
  })
  retry?: RetryView;

  @ApiPropertyOptional({
    description: 'How long one attempt may run, in milliseconds.',
    type: 'integer',
    example: 30000,
  })
  timeoutMs?: number;

  @ApiPropertyOptional({
    description: 'Of its tenant’s tasks with this key one runs at a time.',
    example: 'account-7',
  })
  orderingKey?: string;

  @ApiProperty({ ...time, description: 'When it was accepted.' })
  createdAt!: string;

  @ApiPropertyOptional({ ...time, description: 'When a scheduled or retrying task becomes pending.' })
  runAt?: string;

  @ApiPropertyOptional({ ...time, description: 'It expires if it has not started by then.' })
  expiresAt?: string;

  @ApiPropertyOptional({ ...time, description: 'Start of the latest attempt.' })
  startedAt?: string;

  @ApiPropertyOptional({ ...time, description: 'When it ended.' })
  finishedAt?: string;

  @ApiPropertyOptional({ description: 'Who runs it now.', example: 'worker-1' })
  workerId?: string;

  @ApiPropertyOptional({ ...time, description: 'Until when the worker must report.' })
  leaseExpiresAt?: string;

  @ApiProperty({ description: 'Somebody asked the running task to stop.', example: false })
  cancelRequested!: boolean;
}

/** @param full With payload, result and errors' details. Default true. */
export function viewTask(task: Task, full = true): TaskView {
  return {
    id: task.id,
    queue: task.queue,
    type: task.type,
    state: task.state,
    tenant: task.tenant,
    priority: task.priority,
    priorityName: priorityName(task.priority),
    payload: full ? parse(task.payload) : undefined,
    result: full ? parse(task.result) : undefined,
    progress: parse(task.progress),
    attempt: task.attempt,
    failures: task.failures,
    crashes: task.crashes,
    errors: full ? task.errors.map(viewError) : [],
    failureReason: task.failureReason,
    tags: task.tags,
    metadata: task.metadata,
    retry: task.retry && viewRetry(task.retry),
    timeoutMs: task.timeoutMs,
    orderingKey: task.orderingKey,
    createdAt: new Date(task.createdAt).toISOString(),
    runAt: viewTime(task.dueAt),
    expiresAt: viewTime(task.expiresAt),
    startedAt: viewTime(task.startedAt),
    finishedAt: viewTime(task.finishedAt),
    workerId: task.workerId,
    leaseExpiresAt: viewTime(task.leaseExpiresAt),
    cancelRequested: task.cancelRequested,
  };
}

function viewError({ attempt, at, message, code, details, workerId }: AttemptError): AttemptErrorView {
  return { attempt, at: new Date(at).toISOString(), message, code, details, workerId };
}

function viewRetry({ maxAttempts, backoff, delayMs, maxDelayMs, jitter }: RetryPolicy): RetryView {
  return { maxAttempts, backoff, delayMs, maxDelayMs, jitter };
}

function viewTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function parse(text: JsonText | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}
