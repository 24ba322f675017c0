import type { IQueueBackend, JobJson, JobType } from 'bullmq';
import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import type { ListQuery, TaskPage } from '../core/ports/inspector.js';
import type { Task, TaskState } from '../core/task.js';
import type { Cancelled } from './cancelled.js';
import { taskIdOf } from './job-ids.js';
import { delayedState } from './jobs.js';
import { taskOf } from './job-view.js';

/** Where tasks of a state are, in the order in which they are listed, oldest first. No job of BullMQ's is in another state. */
const SOURCES: Partial<Record<TaskState, readonly JobType[]>> = {
  pending: ['wait', 'prioritized'],
  scheduled: ['delayed', 'waiting-children'],
  retrying: ['delayed'],
  running: ['active'],
  completed: ['completed'],
  failed: ['failed'],
  // In a queue of its own.
  cancelled: ['delayed'],
};
/** Jobs read at once. */
const SLICE_MAX = 100;

/** How far a list was read: in which of its sources, and how many jobs of it. */
type Place = [source: number, offset: number];

/** A page of tasks of one state, by their places: what joins or leaves in front of a page moves it. */
export async function listJobs(
  backend: IQueueBackend,
  cancelled: Cancelled,
  query: ListQuery & { state: TaskState },
): Promise<TaskPage> {
  const { queue, state, type, tag, order, limit, full } = query;
  const oldest = order === 'oldest';
  const sources = oldest ? (SOURCES[state] ?? []) : [...(SOURCES[state] ?? [])].reverse();
  let [source, offset] = query.cursor === undefined ? [0, 0] : readPlace(query);
  const items: Task[] = [];
  let examined = 0;
  while (source < sources.length) {
    const size = Math.min(SLICE_MAX, limit - items.length, LIMITS.listExaminedMax - examined);
    if (size <= 0) return { items, nextCursor: writePlace(query, [source, offset]) };
    const { ids, tasks } =
      state === 'cancelled'
        ? await cancelled.slice(queue, offset, offset + size - 1, oldest)
        : await sliceOf(backend, cancelled, query, sources[source]!, offset, offset + size - 1);
    for (const task of tasks) {
      if (type !== undefined && task.type !== type) continue;
      if (tag !== undefined && !task.tags.includes(tag)) continue;
      items.push(full ? task : { ...task, payload: undefined, result: undefined, errors: [] });
    }
    examined += ids.length;
    offset += ids.length;
    if (ids.length < size) [source, offset] = [source + 1, 0];
  }
  return { items };
}

async function sliceOf(
  backend: IQueueBackend,
  cancelled: Cancelled,
  { queue, state, order }: ListQuery & { state: TaskState },
  source: JobType,
  from: number,
  to: number,
): Promise<{ ids: readonly string[]; tasks: Task[] }> {
  const oldest = order === 'oldest';
  const [ids = []] = await backend.getRanges([source], from, to, oldest);
  // Lists come in the order they are stored in, whichever was asked for.
  const isList = source === 'wait' || source === 'active';
  const ordered = isList && oldest ? [...ids].reverse() : ids;
  const jobs = await readJobs(backend, ordered);
  const tasks = await Promise.all(
    jobs.map(async ([jobId, job]) => {
      const task = job && viewOf(queue, jobId, job, state);
      if (task && state === 'running') task.cancelRequested = await cancelled.isAsked(queue, jobId, job);
      return task;
    }),
  );
  return { ids, tasks: tasks.filter((task) => task !== undefined) };
}

function viewOf(queue: string, jobId: string, job: JobJson, state: TaskState): Task | undefined {
  const id = taskIdOf(queue, jobId);
  if (id === undefined) return undefined;
  if (state === 'retrying' && delayedState(job) !== 'retrying') return undefined;
  if (state === 'scheduled' && (job.delay ?? 0) > 0 && delayedState(job) !== 'scheduled') return undefined;
  return taskOf(id, queue, job, state);
}

function readJobs(backend: IQueueBackend, ids: readonly string[]): Promise<[string, JobJson | undefined][]> {
  return Promise.all(
    ids.map(async (id): Promise<[string, JobJson | undefined]> => [id, await backend.getJobData(id)]),
  );
}

function writePlace(query: ListQuery, place: Place): string {
  return Buffer.from(JSON.stringify([listOf(query), ...place])).toString('base64url');
}

function readPlace(query: ListQuery): Place {
  try {
    const [of, source, offset] = JSON.parse(
      Buffer.from(query.cursor ?? '', 'base64url').toString(),
    ) as unknown[];
    const isPlace = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    if (of === listOf(query) && isPlace(source) && isPlace(offset))
      return [source as number, offset as number];
  } catch {
    // Not one of ours: said below.
  }
  throw new QueueError('invalid-cursor', { pointer: '/cursor' });
}

function listOf({ queue, state, order }: ListQuery): string {
  return [queue, state ?? '', order].join(' ');
}
