import type { NewTask } from '../core/ports.js';
import { withDefaults } from '../core/new-task.js';
import { taskId } from '../core/names.js';
import type {
  AttemptError,
  FailureReason,
  Priority,
  QueueName,
  RetryPolicy,
  Task,
  TaskError,
  TaskSpec,
  TaskState,
} from '../core/task.js';

/*
 * How a task is written in Redis. What is fixed at acceptance is one string:
 *
 *     2 ␟ priority ␟ created ␟ expires ␟ place in the journal ␟ payload bytes ␟ tenant ␟ type ␟ ordering key ␟ retry ␟ tags ␟ options ⏎ payload
 *
 * with ␟ = U+001F, which no name may contain and JSON escapes. The script adds what comes before the payload's
 * size; the rest, the body, is built here and is what a repeated submission is compared by. What happens to the
 * task later is in a hash of its own, so that a waiting task costs one string and one list entry.
 *
 * Only the priority ever changes, in place (update.lua). The leading 2 is the format's version. To change the format: raise it here and in record.lua and enqueue.lua,
 * keep reading the previous one for a release, and raise DATA_VERSION in server-check.ts if an old process must
 * not meet the new one.
 */

export const SEPARATOR = '\u001f';
const RECORD_SEPARATOR = '\u001e';

/** The rarely used rest, as JSON; absent entirely where there is nothing to say. */
interface Options {
  timeoutMs?: number;
  metadata?: Record<string, string>;
  delayMs?: number;
  runAtMs?: number;
  ttlMs?: number;
}

export function encodeBody(task: NewTask): string {
  const { tenant, tags } = withDefaults(task);
  const payload = task.payload ?? '';
  return [
    Buffer.byteLength(payload),
    tenant,
    task.type,
    task.orderingKey ?? '',
    task.retry ? encodeRetry(task.retry) : '',
    tags.join(' '),
    `${encodeOptions(task)}\n${payload}`,
  ].join(SEPARATOR);
}

/** `<max attempts>,<kind>,<delay>,<longest>,<jitter>,<delays by ;>`, short enough to be read by every script. */
export function encodeRetry(retry: RetryPolicy): string {
  const listed = typeof retry.backoff !== 'string';
  const kind = listed ? 's' : (retry.backoff as string)[0];
  const delays = listed ? (retry.backoff as readonly number[]).join(';') : '';
  return [retry.maxAttempts, kind, retry.delayMs, retry.maxDelayMs, retry.jitter[0], delays].join(',');
}

/** A task as it was at the moment of acceptance, whatever became of it. */
export function acceptedTask(queue: QueueName, key: string, record: string): Task {
  const { head, options, spec } = decodeRecord(record);
  return newbornTask(queue, key, spec, options, head.createdAt, head.expiresAt);
}

/** The same from the submission itself, for the usual case that needs no reading back. */
export function acceptedFrom(queue: QueueName, key: string, task: NewTask, now: number): Task {
  const { tenant, priority, tags, metadata } = withDefaults(task);
  const { type, payload, retry, timeoutMs, orderingKey } = task;
  const spec = { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata };
  const expiresAt = task.ttlMs === undefined ? undefined : Math.max(now, dueAtOf(task, now)) + task.ttlMs;
  return newbornTask(queue, key, spec, task, now, expiresAt);
}

/** What `read_row` of rows.lua returns. */
export type Row = [
  key: string,
  record: string,
  fields: string[],
  deadline: string,
  result: string,
  errors: string[],
];

export function decodeRow(queue: QueueName, [key, record, fields, deadline, result, errors]: Row): Task {
  const { head, options, spec } = decodeRecord(record);
  if (fields.length === 0) {
    return {
      ...newbornTask(queue, key, spec, options, head.createdAt, head.expiresAt),
      state: 'pending',
      dueAt: undefined,
    };
  }
  const state = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2) state.set(fields[i] as string, fields[i + 1] as string);
  const number = (name: string) => (state.has(name) ? Number(state.get(name)) : undefined);
  const name = state.get('state') as TaskState;
  const running = name === 'running';
  // As run.lua writes it.
  const [workerId, startedAt] = state.get('run')?.split(' ') ?? [];
  return {
    ...spec,
    id: taskId(queue, key),
    queue,
    state: name,
    createdAt: head.createdAt,
    dueAt: name === 'scheduled' || name === 'retrying' ? number('due') : undefined,
    expiresAt: state.has('retried') ? undefined : head.expiresAt,
    startedAt: startedAt === undefined ? undefined : Number(startedAt),
    finishedAt: number('finished'),
    attempt: number('attempt') ?? 0,
    failures: number('failures') ?? 0,
    crashes: number('crashes') ?? 0,
    errors: errors.map(decodeError),
    progress: state.get('progress'),
    result: result || undefined,
    workerId: running ? workerId : undefined,
    leaseExpiresAt: running && deadline ? Number(deadline) : undefined,
    cancelRequested: running && state.has('cancel'),
    failureReason: state.get('reason') as FailureReason | undefined,
  };
}

/** The fixed part of a leased task. */
export function decodeSpec(record: string): { createdAt: number; spec: TaskSpec } {
  const { head, spec } = decodeRecord(record);
  return { createdAt: head.createdAt, spec };
}

/** Of a leased task that is not in its first attempt, as history_of in start.lua writes it. */
export function decodeHistory(text: string) {
  const [numbers, ...errors] = text.split(RECORD_SEPARATOR) as [string, ...string[]];
  const [index, leaseExpiresAt, attempt, failures, crashes] = numbers.split(' ').map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { index, leaseExpiresAt, attempt, failures, crashes, errors: errors.map(decodeError) };
}

/** `<at> <attempt> <message>`, as add_logs in notes.lua writes it. */
export function decodeLogLine(line: string): { at: number; attempt: number; message: string } {
  const [at, attempt, message] = splitFront(line, 2);
  return { at: Number(at), attempt: Number(attempt), message: message as string };
}

/** `<at> <attempt> <worker> <error as JSON, or nothing for a lost lease>`, as add_error in notes.lua writes it. */
function decodeError(text: string): AttemptError {
  const [at, attempt, workerId, detail] = splitFront(text, 3);
  const error: TaskError = detail
    ? (JSON.parse(detail) as TaskError)
    : { code: 'lease-lost', message: 'The worker stopped renewing its lease.' };
  return { at: Number(at), attempt: Number(attempt), workerId, ...error };
}

function splitFront(text: string, count: number): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i < count; i += 1) {
    const to = text.indexOf(' ', from);
    parts.push(text.slice(from, to));
    from = to + 1;
  }
  parts.push(text.slice(from));
  return parts;
}

/** Written out: with `...spec` V8 makes an object that grows, which took a seventh of the time of a submission. */
function newbornTask(
  queue: QueueName,
  key: string,
  { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata }: TaskSpec,
  due: Pick<Options, 'delayMs' | 'runAtMs'>,
  createdAt: number,
  expiresAt: number | undefined,
): Task {
  const dueAt = dueAtOf(due, createdAt);
  const scheduled = dueAt > createdAt;
  return {
    type,
    tenant,
    priority,
    payload,
    retry,
    timeoutMs,
    orderingKey,
    tags,
    metadata,
    id: taskId(queue, key),
    queue,
    state: scheduled ? 'scheduled' : 'pending',
    createdAt,
    dueAt: scheduled ? dueAt : undefined,
    expiresAt,
    attempt: 0,
    failures: 0,
    crashes: 0,
    errors: [],
    cancelRequested: false,
  };
}

function dueAtOf({ delayMs, runAtMs }: Pick<Options, 'delayMs' | 'runAtMs'>, now: number): number {
  return runAtMs ?? now + (delayMs ?? 0);
}

function decodeRecord(record: string) {
  const end = record.indexOf('\n');
  const fields = record.slice(0, end).split(SEPARATOR) as [
    version: string,
    priority: string,
    created: string,
    expires: string,
    position: string,
    payloadBytes: string,
    tenant: string,
    type: string,
    orderingKey: string,
    retry: string,
    tags: string,
    options: string,
  ];
  const [, priority, created, expires, , , tenant, type, orderingKey, retry, tags, optionsText] = fields;
  const options: Options = optionsText === '' ? {} : (JSON.parse(optionsText) as Options);
  const spec: TaskSpec = {
    type,
    tenant,
    priority: Number(priority) as Priority,
    payload: record.length > end + 1 ? record.slice(end + 1) : undefined,
    retry: retry === '' ? undefined : decodeRetry(retry),
    timeoutMs: options.timeoutMs,
    orderingKey: orderingKey === '' ? undefined : orderingKey,
    tags: tags === '' ? [] : tags.split(' '),
    metadata: options.metadata ?? {},
  };
  return {
    head: { createdAt: Number(created), expiresAt: expires === '' ? undefined : Number(expires) },
    options,
    spec,
  };
}

function decodeRetry(text: string): RetryPolicy {
  const [maxAttempts, kind, delay, longest, jitter, delays] = text.split(',') as [
    string,
    'e' | 'l' | 'f' | 's',
    string,
    string,
    'n' | 'f' | 'e',
    string,
  ];
  return {
    maxAttempts: Number(maxAttempts),
    backoff: kind === 's' ? delays.split(';').map(Number) : KINDS[kind],
    delayMs: Number(delay),
    maxDelayMs: Number(longest),
    jitter: JITTERS[jitter],
  };
}

const KINDS = { e: 'exponential', l: 'linear', f: 'fixed' } as const;
const JITTERS = { n: 'none', f: 'full', e: 'equal' } as const;

function encodeOptions({ timeoutMs, metadata, delayMs, runAtMs, ttlMs }: NewTask): string {
  const some = metadata && Object.keys(metadata).length > 0 ? metadata : undefined;
  if (
    timeoutMs === undefined &&
    !some &&
    delayMs === undefined &&
    runAtMs === undefined &&
    ttlMs === undefined
  ) {
    return '';
  }
  // Sorted, so that a repeated submission with its metadata in another order is still the same.
  const sorted = some && Object.fromEntries(Object.entries(some).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify({ timeoutMs, metadata: sorted, delayMs, runAtMs, ttlMs } satisfies Options);
}
