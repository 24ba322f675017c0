import { HIGHEST_PRIORITY, LOWEST_PRIORITY, type QueueName, type Task } from '@app/queue';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import type { TestQueue } from '../support/redis.js';
import { TENANTS } from './forgetting.js';

/** One list of waiting tasks: a tenant's lane of one priority, or those that stepped aside for an ordering key. */
export interface Line {
  /** `<priority>:<tenant>`, or `~<tenant>~<ordering key>`; as `held` names it. */
  name: string;
  entries: Entry[];
}

export interface Entry {
  since: string;
  key: string;
  /** It stands for its task: pending since that very moment. Others are passed over when reached. */
  current: boolean;
}

/**
 * Every line of a queue that is not empty, not found by the indexes: lanes by all tenants that stories name, since the entry of an
 * ended task is in one until it is reached, also when no task of the tenant is left; lists of ordering keys by the tasks.
 */
export async function readLines(
  { redis, keyPrefix }: TestQueue,
  queue: QueueName,
  tasks: readonly Task[],
): Promise<Line[]> {
  const lanes = ['~', ...TENANTS].flatMap((tenant) => PRIORITIES.map((priority) => `${priority}:${tenant}`));
  const scopes = new Set(tasks.flatMap((task) => scopeOf(task) ?? []));
  const pending = await pendingSince({ redis, keyPrefix }, queue, tasks);
  const read = async (name: string, listKey: string, skipped: number): Promise<Line> => {
    const texts: string[] = await redis.lrange(listKey, 0, -1);
    const entries = texts.map((text) => {
      const [since = '', key = ''] = text.slice(skipped).split('~');
      return { since, key, current: pending.get(key) === since };
    });
    return { name, entries };
  };
  const lines = await Promise.all([
    ...lanes.map((lane) => read(lane, queueKey(keyPrefix, queue, 'lane', lane), 0)),
    // Entries of these have the priority of their lane in front.
    ...[...scopes].map((scope) => read(`~${scope}`, queueKey(keyPrefix, queue, 'aside', scope), 2)),
  ]);
  return lines.filter(({ entries }) => entries.length > 0);
}

/** Whether something looks like work to Redis that is none: the entries of ended tasks, until they are reached. */
export async function hasLeftovers(
  store: TestQueue,
  queue: QueueName,
  tasks: readonly Task[],
): Promise<boolean> {
  const lines = await readLines(store, queue, tasks);
  return lines.some(({ entries }) => entries.some(({ current }) => !current));
}

export function scopeOf({ tenant, orderingKey }: Task): string | undefined {
  return orderingKey === undefined ? undefined : `${tenant}~${orderingKey}`;
}

async function pendingSince(
  { redis, keyPrefix }: Pick<TestQueue, 'redis' | 'keyPrefix'>,
  queue: QueueName,
  tasks: readonly Task[],
): Promise<Map<string, string>> {
  const pending = tasks.filter(({ state }) => state === 'pending');
  const since = await Promise.all(
    pending.map(async ({ id, createdAt }) => {
      const key = id.slice(queue.length + 1);
      // Where it has no such field it is pending since it was accepted.
      const stored = await redis.hget(queueKey(keyPrefix, queue, 'state', key), 'since');
      return [key, stored ?? String(createdAt)] as const;
    }),
  );
  return new Map(since);
}

const PRIORITIES = Array.from(
  { length: HIGHEST_PRIORITY - LOWEST_PRIORITY + 1 },
  (_, index) => LOWEST_PRIORITY + index,
);
