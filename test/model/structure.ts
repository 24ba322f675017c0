import { HIGHEST_PRIORITY, LOWEST_PRIORITY, type QueueName, type Task } from '@app/queue';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import type { TestQueue } from '../support/redis.js';

/**
 * What must be true between the keys of a queue at any moment: an auditor that reads everything.
 *
 * @param tasks all there are
 * @throws Error naming every breach
 */
export async function checkStructure(
  { redis, keyPrefix }: TestQueue,
  queue: QueueName,
  tasks: readonly Task[],
): Promise<void> {
  const breaches: string[] = [];
  const same = (what: string, given: readonly string[], expected: readonly string[]) => {
    const [a, b] = [[...given].sort().join(), [...expected].sort().join()];
    if (a !== b) breaches.push(`${what}: ${a || 'nothing'}, not ${b || 'nothing'}`);
  };
  const key = (name: Parameters<typeof queueKey>[2], rest = '') => queueKey(keyPrefix, queue, name, rest);
  const members = (name: Parameters<typeof queueKey>[2], rest = '') =>
    redis.zrange(key(name, rest), '0', '-1');
  const keysIn = (...states: Task['state'][]) =>
    tasks.filter(({ state }) => states.includes(state)).map(({ id }) => id.slice(queue.length + 1));

  const tenants = [...new Set(tasks.map(({ tenant }) => tenant))];
  for (let priority = LOWEST_PRIORITY; priority <= HIGHEST_PRIORITY; priority += 1) {
    const waiting = await Promise.all(
      tenants.map((tenant) => redis.lrange(key('lane', `${priority}:${tenant}`), 0, -1)),
    );
    const waitingTenants = tenants.filter((_, index) => waiting[index]!.length > 0);
    same(`ring ${priority}`, await members('ring', String(priority)), waitingTenants);
    same(`oldest ${priority}`, await members('oldest', String(priority)), waitingTenants);
    const resting = await members('resting', String(priority));
    same(
      `resting ${priority} in the ring`,
      resting.filter((tenant) => waitingTenants.includes(tenant)),
      [],
    );
    const lanes = waiting.flat().map((entry) => entry.slice(entry.indexOf('~') + 1));
    for (const task of tasks) {
      if (task.state !== 'pending' || task.priority !== priority) continue;
      const taskKey = task.id.slice(queue.length + 1);
      if (!lanes.includes(taskKey)) breaches.push(`${taskKey} is pending and in no lane`);
    }
  }
  same('due', await members('due'), keysIn('scheduled', 'retrying'));
  same('leases', await members('leases'), keysIn('running'));
  const expiring = (await members('expiry')).filter((each) => !keysIn('scheduled', 'pending').includes(each));
  same('expiry of tasks that have started or ended', expiring, []);
  const tokens = await redis.llen(key('wake'));
  if (tokens > 1) breaches.push(`${tokens} wake tokens`);
  if (breaches.length > 0) throw new Error(`Keys of ${queue}:\n${breaches.join('\n')}`);
}

/** Whether lanes hold entries: more than the pending tasks, where ended ones have left theirs behind. */
export async function hasEntries({ redis, keyPrefix }: TestQueue, queue: QueueName): Promise<boolean> {
  const rings: number[] = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(async (priority) => {
      const ring = await redis.zrange(queueKey(keyPrefix, queue, 'ring', String(priority)), '0', '-1');
      const lengths: number[] = await Promise.all(
        ring.map((tenant) => redis.llen(queueKey(keyPrefix, queue, 'lane', `${priority}:${tenant}`))),
      );
      return lengths.reduce((sum, length) => sum + length, 0);
    }),
  );
  return rings.some((length) => length > 0);
}
