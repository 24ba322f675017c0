import { QueueError } from '../core/errors.js';
import type { Inspector, ListQuery, TaskPage } from '../core/ports/inspector.js';
import type { QueueName } from '../core/task.js';

/** Where a list goes on: in which of the partitions, and after which cursor of the backend's own. */
interface Place {
  index: number;
  cursor?: string;
}

/**
 * One page over several partitions, one after the other: each has its own order, and pages whose filters find little
 * cannot be merged without reading far ahead in all of them.
 *
 * @throws QueueError `invalid-cursor`
 */
export async function listPartitions(
  inspector: Pick<Inspector, 'list'>,
  names: readonly QueueName[],
  query: ListQuery,
): Promise<TaskPage> {
  const items: TaskPage['items'] = [];
  let { index, cursor } = decode(query.cursor, names.length);
  while (index < names.length && items.length < query.limit) {
    const limit = query.limit - items.length;
    const page = await inspector.list({ ...query, queue: names[index]!, limit, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
    // There is more, but its filters have looked at as many tasks as one page may.
    if (cursor !== undefined) break;
    index += 1;
  }
  return index < names.length ? { items, nextCursor: encode({ index, cursor }) } : { items };
}

function encode({ index, cursor }: Place): string {
  return Buffer.from(JSON.stringify([index, cursor])).toString('base64url');
}

function decode(text: string | undefined, count: number): Place {
  if (text === undefined) return { index: 0 };
  try {
    const [index, cursor] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    if (typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < count) {
      if (cursor === null) return { index };
      if (typeof cursor === 'string') return { index, cursor };
    }
  } catch {
    // Falls through: not one of ours.
  }
  throw new QueueError('invalid-cursor');
}
