import {
  LIMITS,
  NAME_PATTERNS,
  QueueError,
  type Inspector,
  type ListQuery,
  type QueueName,
  type TaskPage,
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

/** Lists one queue, or where none is named all of them in the order of their names, in bounded steps. */
export async function listTasks(inspector: Inspector, query: AnyQueueQuery): Promise<TaskPage> {
  const { queue } = query;
  return queue === undefined ? listAllQueues(inspector, query) : inspector.list({ ...query, queue });
}

async function listAllQueues(inspector: Inspector, query: Omit<ListQuery, 'queue'>): Promise<TaskPage> {
  const items: TaskPage['items'] = [];
  let place: Place | undefined = query.cursor === undefined ? await after(inspector) : decode(query.cursor);
  for (let calls = 0; place && items.length < query.limit && calls < CALLS_MAX; calls++) {
    const { queue, cursor }: Place = place;
    const page = await inspector.list({ ...query, queue, cursor, limit: query.limit - items.length });
    items.push(...page.items);
    place =
      page.nextCursor === undefined ? await after(inspector, queue) : { queue, cursor: page.nextCursor };
  }
  return { items, nextCursor: place && encode(place) };
}

/** Where a page over many queues goes on. */
interface Place {
  queue: string;
  /** The port's own cursor inside the queue; absent at its beginning. */
  cursor?: string;
}

async function after(inspector: Inspector, queue?: string): Promise<Place | undefined> {
  const [next] = (await inspector.queues(1, queue)).items;
  return next === undefined ? undefined : { queue: next };
}

function encode({ queue, cursor }: Place): string {
  return Buffer.from(JSON.stringify({ queue, cursor })).toString('base64url');
}

function decode(text: string): Place {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (isObject(value)) {
      const { queue, cursor } = value;
      const isPlace = typeof queue === 'string' && NAME_PATTERNS.queue.test(queue);
      if (isPlace && (cursor === undefined || typeof cursor === 'string')) return { queue, cursor };
    }
  } catch {
    // Falls through to the same refusal.
  }
  throw new QueueError('invalid-cursor', { pointer: '/cursor' });
}
