import {
  DEFAULT_TENANT,
  LIMITS,
  NAME_PATTERNS,
  QueueError,
  TASK_STATES,
  type ListQuery,
  type Queue,
  type QueueName,
  type TaskPage,
  type TaskState,
} from '@app/queue';
import { isObject } from '../http/rule.js';
import type { ListTasksDto, TaskPageView } from './list-tasks.dto.js';
import { viewTask } from './task.view.js';

/** Reads a page as the query wants it, and shows it. */
export async function showPage(
  { order = 'newest', limit = LIST_LIMIT_DEFAULT, view = 'basic', ...filters }: ListTasksDto,
  read: (query: AnyQueueQuery) => Promise<TaskPage>,
): Promise<TaskPageView> {
  const full = view === 'full';
  const { items, nextCursor = null } = await read({ ...filters, order, limit, full });
  return { items: items.map((task) => viewTask(task, full)), nextCursor };
}

type AnyQueueQuery = Omit<ListQuery, 'queue'> & { queue?: QueueName };

/** Default number of tasks of a page. */
const LIST_LIMIT_DEFAULT = Math.min(50, LIMITS.listLimitMax);

/** Port calls for one page over many queues: filters may find little in each. */
const CALLS_MAX = 20;

/** Where lists come from: not every backend can give all states at once, or has tenants. */
type Source = Pick<Queue, 'list' | 'queues' | 'capabilities'>;

/** Lists one queue, or where none is named all of them in the order of their names, in bounded steps. */
export async function listTasks(source: Source, query: AnyQueueQuery): Promise<TaskPage> {
  const { queue } = query;
  return queue === undefined ? listAllQueues(source, query) : source.list({ ...query, queue });
}

async function listAllQueues(source: Source, query: Omit<ListQuery, 'queue'>): Promise<TaskPage> {
  const items: TaskPage['items'] = [];
  let place: Place | undefined =
    query.cursor === undefined ? await after(source, query) : decode(query.cursor);
  for (let calls = 0; place && items.length < query.limit && calls < CALLS_MAX; calls++) {
    const page = await listAt(source, query, place, query.limit - items.length);
    items.push(...page.items);
    place =
      page.nextCursor === undefined
        ? await after(source, query, place)
        : { ...place, cursor: page.nextCursor };
  }
  return { items, nextCursor: place && encode(place) };
}

async function listAt(
  source: Source,
  { tenant, ...query }: Omit<ListQuery, 'queue'>,
  { queue, state, cursor }: Place,
  limit: number,
): Promise<TaskPage> {
  const asked: ListQuery = { ...query, queue, state: query.state ?? state, cursor, limit };
  if (tenant === undefined || source.capabilities(queue).has('tenants')) {
    return source.list({ ...asked, tenant });
  }
  // Without tenants all tasks are the default one's.
  return tenant === DEFAULT_TENANT ? source.list(asked) : { items: [] };
}

/** Where a page over many queues goes on. */
interface Place {
  queue: string;
  /** Where the queue's backend lists one state after the other. */
  state?: TaskState;
  /** The port's own cursor inside the queue; absent at its beginning. */
  cursor?: string;
}

async function after(
  source: Source,
  query: Omit<ListQuery, 'queue'>,
  place?: Place,
): Promise<Place | undefined> {
  const state = place?.state && TASK_STATES[TASK_STATES.indexOf(place.state) + 1];
  if (place && state) return { queue: place.queue, state };
  const [queue] = (await source.queues(1, place?.queue)).items;
  if (queue === undefined) return undefined;
  const together = query.state !== undefined || source.capabilities(queue).has('combined-lists');
  return together ? { queue } : { queue, state: TASK_STATES[0] };
}

function encode({ queue, state, cursor }: Place): string {
  return Buffer.from(JSON.stringify({ queue, state, cursor })).toString('base64url');
}

function decode(text: string): Place {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (isObject(value)) {
      const { queue, state: given, cursor } = value;
      const state = TASK_STATES.find((each) => each === given);
      const isPlace = typeof queue === 'string' && NAME_PATTERNS.queue.test(queue) && state === given;
      if (isPlace && (cursor === undefined || typeof cursor === 'string')) return { queue, state, cursor };
    }
  } catch {
    // Falls through to the same refusal.
  }
  throw new QueueError('invalid-cursor', { pointer: '/cursor' });
}
