import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { ListQuery, TaskPage } from '../core/ports/inspector.js';
import { isTerminal } from '../core/task.js';
import { checkCount } from '../core/checks.js';
import { compareText, type QueueState } from './queue-state.js';
import { viewTask, type TaskRecord } from './record.js';

/** A page of tasks. Looks at a bounded number of them and says where it stopped. */
export function list(queue: QueueState | undefined, query: ListQuery): TaskPage {
  checkCount('/limit', query.limit, 1, LIMITS.listLimitMax);
  const after = query.cursor === undefined ? undefined : readCursor(query);
  const records = [...(queue?.tasks.values() ?? [])]
    .filter((record) => query.state === undefined || record.task.state === query.state)
    .map((record) => ({ record, place: placeOf(record, query) }))
    .sort((a, b) => comparePlaces(a.place, b.place, query));
  const rest = after ? records.filter(({ place }) => comparePlaces(place, after, query) > 0) : records;

  const page: TaskPage = { items: [] };
  for (const [index, { record, place }] of rest.entries()) {
    if (matches(record, query)) page.items.push(viewTask(record.task, query.full === true));
    const last = index === rest.length - 1;
    if (page.items.length === query.limit || index + 1 === LIMITS.listExaminedMax) {
      if (!last) page.nextCursor = writeCursor(place, query);
      break;
    }
  }
  return page;
}

/** Where a task stands in the list's order; no two stand at one place. */
type Place = [score: number, key: string];

function placeOf({ task, key, position }: TaskRecord, { state }: ListQuery): Place {
  if (state === 'scheduled' || state === 'retrying') return [task.dueAt ?? 0, key];
  if (state === 'running') return [task.leaseExpiresAt ?? 0, key];
  if (state !== undefined && isTerminal(state)) return [task.finishedAt ?? 0, key];
  return [position, key];
}

function comparePlaces([scoreA, keyA]: Place, [scoreB, keyB]: Place, { order }: ListQuery): number {
  const oldestFirst = scoreA - scoreB || compareText(keyA, keyB);
  return order === 'oldest' ? oldestFirst : -oldestFirst;
}

function matches({ task }: TaskRecord, { type, tenant, tag }: ListQuery): boolean {
  return (
    (type === undefined || task.type === type) &&
    (tenant === undefined || task.tenant === tenant) &&
    (tag === undefined || task.tags.includes(tag))
  );
}

function writeCursor(place: Place, query: ListQuery): string {
  return Buffer.from(JSON.stringify([listOf(query), ...place])).toString('base64url');
}

function readCursor(query: ListQuery): Place {
  try {
    const [of, score, key] = JSON.parse(Buffer.from(query.cursor ?? '', 'base64url').toString()) as unknown[];
    if (of === listOf(query) && typeof score === 'number' && typeof key === 'string') return [score, key];
  } catch {
    // Not one of ours: said below.
  }
  throw new QueueError('invalid-cursor', { pointer: '/cursor' });
}

function listOf({ queue, state, order }: ListQuery): string {
  return [queue, state ?? '', order].join(' ');
}
