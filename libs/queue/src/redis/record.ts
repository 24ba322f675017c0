import type { NewTask } from '../core/ports/producer.js';
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
  const retry = task.retry ? encodeRetry(task.retry) : '';
  const head = `${Buffer.byteLength(payload)}${SEPARATOR}${tenant}${SEPARATOR}${task.type}${SEPARATOR}${task.orderingKey ?? ''}`;
  return `${head}${SEPARATOR}${retry}${SEPARATOR}${tags.join(' ')}${SEPARATOR}${encodeOptions(task)}\n${payload}`;
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
  const dueAt = dueAtOf(options, head.createdAt);
  return newbornTask(queue, key, spec, { ...head, dueAt });
}

/** The same from the submission itself, for the usual case that needs no reading back. */
export function acceptedFrom(queue: QueueName, key: string, task: NewTask, now: number): Task {
  const { tenant, priority, tags, metadata } = withDefaults(task);
  const { type, payload, retry, timeoutMs, orderingKey } = task;
  const spec = { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata };
  const dueAt = dueAtOf(task, now);
  const expiresAt = task.ttlMs === undefined ? undefined : (dueAt ?? now) + task.ttlMs;
  return newbornTask(queue, key, spec, { createdAt: now, dueAt, expiresAt });
}

/** What `read_rows` of rows.lua returns of a task. */
export type Row = [
  key: string,
  record: string,
  happened: string | string[],
  deadline: string,
  result: string,
  errors: string[],
];

/** The fields of a state, a string or a hash: state.lua says what it is when. */
function decodeState(happened: string | string[]): Record<string, string | undefined> {
  if (typeof happened === 'string') {
    const [state, , run, finished] = happened.split(SEPARATOR, 4);
    return { state, run, finished: finished || undefined, attempt: '1' };
  }
  const fields: Record<string, string> = {};
  for (let i = 0; i < happened.length; i += 2) fields[happened[i]!] = happened[i + 1]!;
  return fields;
}

export function decodeRow(queue: QueueName, [key, record, happened, deadline, result, errors]: Row): Task {
  const { head, spec } = decodeRecord(record);
  if (happened.length === 0) return newbornTask(queue, key, spec, head);
  const fields = decodeState(happened);
  const { due, run, finished, attempt, failures, crashes, progress, reason, retried, cancel } = fields;
  const state = fields['state'] as TaskState;
  const running = state === 'running';
  // As run.lua writes it.
  const [workerId, startedAt] = run?.split(' ') ?? [];
  const { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata } = spec;
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
    state,
    createdAt: head.createdAt,
    dueAt: state === 'scheduled' || state === 'retrying' ? numberOf(due) : undefined,
    expiresAt: retried === undefined ? head.expiresAt : undefined,
    startedAt: numberOf(startedAt),
    finishedAt: numberOf(finished),
    attempt: numberOf(attempt) ?? 0,
    failures: numberOf(failures) ?? 0,
    crashes: numberOf(crashes) ?? 0,
    errors: errors.map(decodeError),
    progress,
    result: result || undefined,
    workerId: running ? workerId : undefined,
    leaseExpiresAt: running && deadline ? Number(deadline) : undefined,
    cancelRequested: running && cancel !== undefined,
    failureReason: reason as FailureReason | undefined,
  };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** The fixed part of a leased task. */
export function decodeSpec(record: string): { createdAt: number; spec: TaskSpec } {
  const { head, spec } = decodeRecord(record);
  return { createdAt: head.createdAt, spec };
}

/** A leased task's key, and how it stands, as append_task in start.lua says it; `deadline` of those in their first attempt. */
export function decodeLeased(text: string, deadline: number) {
  if (!text.includes(RECORD_SEPARATOR)) {
    return { key: text, leaseExpiresAt: deadline, attempt: 1, failures: 0, crashes: 0, errors: [] };
  }
  const [key, numbers, ...errors] = text.split(RECORD_SEPARATOR) as [string, string, ...string[]];
  const [leaseExpiresAt, attempt, failures, crashes] = numbers.split(' ').map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return { key, leaseExpiresAt, attempt, failures, crashes, errors: errors.map(decodeError) };
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

/**
 * To which nothing has happened. Written out, as in `decodeRow`: with `...spec` V8 makes an object that grows, which took a
 * seventh of the time of a submission, and a quarter of that of a request that waits for the end.
 */
function newbornTask(
  queue: QueueName,
  key: string,
  { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata }: TaskSpec,
  { createdAt, dueAt, expiresAt }: Pick<Task, 'createdAt' | 'dueAt' | 'expiresAt'>,
): Task {
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
    state: dueAt === undefined ? 'pending' : 'scheduled',
    createdAt,
    dueAt,
    expiresAt,
    attempt: 0,
    failures: 0,
    crashes: 0,
    errors: [],
    cancelRequested: false,
  };
}

/** Absent where it is due at once. */
function dueAtOf(
  { delayMs, runAtMs }: Pick<Options, 'delayMs' | 'runAtMs'>,
  now: number,
): number | undefined {
  const dueAt = runAtMs ?? now + (delayMs ?? 0);
  return dueAt > now ? dueAt : undefined;
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
