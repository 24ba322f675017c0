import { checkCount } from '../core/checks.js';
import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName, splitTaskId } from '../core/names.js';
import {
  type Inspector,
  LEASE_OUTCOMES,
  type LeaseOutcome,
  type ListQuery,
  MINUTE_EVENTS,
  type MinuteCounts,
  type MinuteEvent,
  type QueueOverview,
  type StateCounts,
  type TaskPage,
  type TenantOverview,
  type TenantPage,
  type WorkerActivity,
} from '../core/ports/inspector.js';
import type { QueueSettings, TenantSettings } from '../core/settings.js';
import { sizeClass } from '../core/size-class.js';
import {
  isTerminal,
  type LogLine,
  type Priority,
  type QueueName,
  type Task,
  TASK_STATES,
  type TaskId,
  type TaskState,
} from '../core/task.js';
import { Coalescer } from './coalescer.js';
import type { Client } from './connection.js';
import type { Directory } from './directory.js';
import type { EndWatcher } from './end-watcher.js';
import { globalKey, queueKey } from './keys.js';
import { decodeLogLine, decodeRow, type Row } from './record.js';
import type { ScriptRunner } from './script-runner.js';
import {
  activityScript,
  getScript,
  leasedScript,
  listScript,
  overviewScript,
  tenantsScript,
} from './scripts.generated.js';

const PROBE_KEPT_MS = 60_000;
const MINUTE_MS = 60_000;

/** Where a page of tasks is read from, by state. The journal has every task, so it serves where nothing better does. */
const LIST_SOURCES: Record<TaskState | 'any', string> = {
  any: 'journal',
  pending: 'journal',
  scheduled: 'due',
  retrying: 'due',
  running: 'leases',
  completed: 'finished',
  failed: 'finished',
  cancelled: 'finished',
  expired: 'finished',
};

type OverviewReply = [
  now: number,
  counts: string[],
  types: [type: string, ...counts: (string | null)[]][],
  oldestSince: number | '',
  nextDueMs: number | '',
  minutes: [at: number, events: string[]][],
  paused: string,
  draining: string,
];

/** One tenant in the reply of tenants.lua. */
type TenantRow = [tenant: string, settings: string, paused: number, pendingSince: string, fields: string[]];
const TENANT_WIDTH = 5;

export class RedisInspector implements Inspector {
  private readonly reading = new Coalescer<string, Task | undefined>((queue, keys) => this.read(queue, keys));

  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly directory: Directory,
    private readonly ends: EndWatcher,
    private readonly prefix: string,
    private readonly processId: string,
  ) {}

  async get(ids: readonly TaskId[]): Promise<(Task | undefined)[]> {
    return Promise.all(
      ids.map(async (id) => {
        const { queue, key } = splitTaskId(id);
        return this.readOne(queue, key);
      }),
    );
  }

  async list(query: ListQuery): Promise<TaskPage> {
    checkName('queue', query.queue, '/queue');
    checkCount('/limit', query.limit, 1, LIMITS.listLimitMax);
    const [score, member] =
      query.cursor === undefined ? ['', ''] : decodePlace(listName(query), query.cursor);
    const [more, lastScore, lastMember, ...rows] = (await this.scripts.run(listScript, query.queue, {
      source: LIST_SOURCES[query.state ?? 'any'],
      state: query.state ?? '',
      type: query.type ?? '',
      tenant: query.tenant ?? '',
      tag: query.tag ?? '',
      newest: query.order === 'newest' ? 1 : 0,
      limit: query.limit,
      full: query.full ? 1 : 0,
      after_score: score,
      after_member: member,
    })) as [number, string, string, ...Row[]];
    const items = rows.map((row) => decodeRow(query.queue, row));
    return more === 1
      ? { items, nextCursor: encodePlace(listName(query), lastScore, lastMember) }
      : { items };
  }

  async logs(id: TaskId): Promise<LogLine[]> {
    const { queue, key } = splitTaskId(id);
    const logs = queueKey(this.prefix, queue, 'logs', key);
    return (await this.scripts.patiently(() => this.client.lrange(logs, 0, -1))).map(decodeLogLine);
  }

  queues(limit: number, cursor?: QueueName) {
    return this.directory.queues(limit, cursor);
  }

  async overview(queues: readonly QueueName[]): Promise<(QueueOverview | undefined)[]> {
    return Promise.all(
      queues.map(async (queue) => {
        checkName('queue', queue, '/queue');
        const reply = (await this.scripts.run(overviewScript, queue, {})) as OverviewReply | '';
        return reply === '' ? undefined : decodeOverview(queue, reply);
      }),
    );
  }

  async settings(queue: QueueName): Promise<QueueSettings> {
    checkName('queue', queue, '/queue');
    const key = queueKey(this.prefix, queue, 'meta');
    const text = await this.scripts.patiently(() => this.client.hget(key, 'settings'));
    return text === null ? {} : (JSON.parse(text) as QueueSettings);
  }

  async tenants(queue: QueueName, limit: number, cursor?: string): Promise<TenantPage> {
    checkName('queue', queue, '/queue');
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    const [after_score, after_member] =
      cursor === undefined ? ['', ''] : decodePlace(`${queue} tenants`, cursor);
    const { items, more } = await this.readTenants(queue, [], { limit, after_score, after_member });
    const last = items.at(-1);
    if (!more || !last) return { items };
    return {
      items,
      nextCursor: encodePlace(
        `${queue} tenants`,
        String(sizeClass(last.backlog + last.running)),
        last.tenant,
      ),
    };
  }

  async tenant(queue: QueueName, tenant: string): Promise<TenantOverview> {
    checkName('queue', queue, '/queue');
    checkName('tenant', tenant, '/tenant');
    const { items } = await this.readTenants(queue, [tenant], {
      limit: 1,
      after_score: '',
      after_member: '',
    });
    return items[0]!;
  }

  async activity(queue: QueueName, workerIds: readonly string[]): Promise<WorkerActivity[]> {
    checkName('queue', queue, '/queue');
    checkCount('/workerIds', workerIds.length, 0, LIMITS.listLimitMax);
    workerIds.forEach((id, index) => checkName('workerId', id, `/workerIds/${index}`));
    const reply = await this.scripts.run(activityScript, queue, {}, workerIds);
    return (reply as [number, string[]][]).map(decodeActivity);
  }

  async leased(queue: QueueName, workerId: string, limit: number): Promise<Task[]> {
    checkName('queue', queue, '/queue');
    checkName('workerId', workerId, '/workerId');
    checkCount('/limit', limit, 1, LIMITS.listLimitMax);
    const rows = (await this.scripts.run(leasedScript, queue, { worker: workerId, limit })) as Row[];
    return rows.map((row) => decodeRow(queue, row));
  }

  async waitForEnd(
    id: TaskId,
    timeoutMs: number,
    signal?: AbortSignal,
    unbornAtMs = -Infinity,
  ): Promise<Task | undefined> {
    const { queue, key } = splitTaskId(id);
    const deadlineMs = performance.now() + timeoutMs;
    let onEnd: () => void = () => undefined;
    const watch = await this.ends.watch(queue, key, () => onEnd());
    try {
      for (let seen = false; ; seen = true) {
        // Armed before reading: an end between the two is heard.
        const ended = new Promise<void>((resolve) => {
          onEnd = resolve;
        });
        if (seen || watch.mayHaveEndedSince(unbornAtMs)) {
          const task = await this.readOne(queue, key);
          if (!task || isTerminal(task.state) || performance.now() >= deadlineMs || signal?.aborted)
            return task;
        }
        await firstOf(ended, deadlineMs - performance.now(), signal);
      }
    } finally {
      watch.stop();
    }
  }

  async probe(): Promise<{ writeMs: number; readMs: number }> {
    const key = globalKey(this.prefix, 'probe', this.processId);
    const value = String(Math.random());
    const startedMs = performance.now();
    await this.scripts.patiently(() => this.client.set(key, value, 'PX', PROBE_KEPT_MS));
    const writtenMs = performance.now();
    const read = await this.scripts.patiently(() => this.client.get(key));
    if (read !== value) {
      throw new QueueError('store-unavailable', {
        message: 'The store did not return what was just written.',
      });
    }
    return { writeMs: writtenMs - startedMs, readMs: performance.now() - writtenMs };
  }

  private async readTenants(
    queue: QueueName,
    named: string[],
    page: { limit: number; after_score: string; after_member: string },
  ): Promise<{ items: TenantOverview[]; more: boolean }> {
    const [now, more, ...rows] = (await this.scripts.run(tenantsScript, queue, page, named)) as [
      number,
      number,
      ...TenantRow,
    ];
    const items: TenantOverview[] = [];
    for (let i = 0; i < rows.length; i += TENANT_WIDTH) {
      items.push(decodeTenant(now, rows.slice(i, i + TENANT_WIDTH) as TenantRow));
    }
    return { items, more: more === 1 };
  }

  private async readOne(queue: QueueName, key: string): Promise<Task | undefined> {
    return (await this.reading.add(queue, [key]))[0];
  }

  private async read(queue: QueueName, keys: string[]): Promise<(Task | undefined)[]> {
    const rows = (await this.scripts.run(getScript, queue, {}, keys)) as (Row | '')[];
    return rows.map((row) => (row === '' ? undefined : decodeRow(queue, row)));
  }
}

function decodeOverview(
  queue: QueueName,
  [now, counts, types, oldest, nextDue, minutes, paused, draining]: OverviewReply,
): QueueOverview {
  const overview: QueueOverview = {
    queue,
    paused: paused !== '',
    draining: draining !== '',
    backlog: 0,
    waits: sumWaits(minutes.map(([, events]) => events)),
    states: noTasks(),
    priorities: { 1: noTasks(), 2: noTasks(), 3: noTasks(), 4: noTasks(), 5: noTasks(), 6: noTasks() },
    // Not by assignment: a type may be called __proto__.
    types: Object.fromEntries(types.map(decodeTypeCounts)),
    minutes: minutes.map(([at, events]) => decodeMinute(at, events)),
  };
  for (let i = 0; i < counts.length; i += 2) {
    const [priority, state] = counts[i]!.split(':') as [string, TaskState];
    const count = Number(counts[i + 1]);
    overview.states[state] += count;
    overview.priorities[Number(priority) as Priority][state] = count;
  }
  const { scheduled, pending, retrying } = overview.states;
  overview.backlog = scheduled + pending + retrying;
  if (oldest !== '') overview.oldestPendingAgeMs = Math.max(0, now - oldest);
  if (nextDue !== '') overview.nextDueInMs = nextDue;
  return overview;
}

function decodeTypeCounts([type, ...counts]: OverviewReply[2][number]): [string, StateCounts] {
  return [
    type,
    Object.fromEntries(TASK_STATES.map((state, i) => [state, Number(counts[i] ?? 0)])) as StateCounts,
  ];
}

function decodeMinute(at: number, events: string[]): MinuteCounts {
  const counts = Object.fromEntries(MINUTE_EVENTS.map((event) => [event, 0])) as Record<MinuteEvent, number>;
  for (let i = 0; i < events.length; i += 2) {
    const event = events[i] as MinuteEvent;
    if (event in counts) counts[event] = Number(events[i + 1]);
  }
  return { at, ...counts };
}

function decodeActivity([running, fields]: [number, string[]]): WorkerActivity {
  const totals = Object.fromEntries(LEASE_OUTCOMES.map((outcome) => [outcome, 0])) as Record<
    LeaseOutcome,
    number
  >;
  for (let i = 0; i < fields.length; i += 2) totals[fields[i] as LeaseOutcome] = Number(fields[i + 1]);
  return { running, totals };
}

function decodeTenant(now: number, [tenant, settings, paused, since, fields]: TenantRow): TenantOverview {
  const values = new Map<string, string>();
  for (let i = 0; i < fields.length; i += 2) values.set(fields[i]!, fields[i + 1]!);
  const running = Number(values.get('running') ?? 0);
  const [minute, started, before] = (values.get('starts') ?? '0 0 0').split(' ').map(Number) as [
    number,
    number,
    number,
  ];
  const minutesAgo = Math.floor(now / MINUTE_MS) - minute;
  const overview: TenantOverview = {
    tenant,
    settings: settings === '' ? {} : (JSON.parse(settings) as TenantSettings),
    paused: paused === 1,
    backlog: Number(values.get('open') ?? 0) - running,
    running,
    startedThisMinute: minutesAgo === 0 ? started : 0,
    startedLastMinute: minutesAgo === 0 ? before : minutesAgo === 1 ? started : 0,
    waits: sumWaits([fields]),
  };
  if (since !== '') overview.oldestPendingAgeMs = Math.max(0, now - Number(since));
  return overview;
}

/** Fields `w<class>`, counted from 1, of several hashes. */
function sumWaits(hashes: string[][]): number[] {
  const waits = Array.from({ length: LIMITS.waitBoundsMs.length + 1 }, () => 0);
  for (const fields of hashes) {
    for (let i = 0; i < fields.length; i += 2) {
      const name = /^w(\d+)$/.exec(fields[i]!);
      if (name) waits[Number(name[1]) - 1]! += Number(fields[i + 1]);
    }
  }
  return waits;
}

function noTasks(): StateCounts {
  return Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as StateCounts;
}

/** The list it belongs to goes along, so that a cursor is refused where its position would mean nothing. */
function encodePlace(list: string, score: string, member: string): string {
  return Buffer.from(JSON.stringify([list, score, member])).toString('base64url');
}

/** @throws QueueError `invalid-cursor` */
function decodePlace(list: string, cursor: string): [score: string, member: string] {
  try {
    const [name, score, member] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (
      name === list &&
      typeof score === 'string' &&
      typeof member === 'string' &&
      /^[\d.e+]+$/.test(score)
    ) {
      return [score, member];
    }
  } catch {
    // Falls through: not one of ours.
  }
  throw new QueueError('invalid-cursor');
}

function listName({ queue, state, order }: ListQuery): string {
  return `${queue} ${state ?? ''} ${order}`;
}

/** Resolves with the first of: the promise, the time, the signal. */
async function firstOf(promise: Promise<void>, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return;
  let timer: NodeJS.Timeout | undefined;
  let onAbort: () => void = () => undefined;
  const other = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
    onAbort = resolve;
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  await Promise.race([promise, other]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', onAbort);
}
