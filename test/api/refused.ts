import { createRedisQueue } from '@app/queue';
import { Redis } from 'ioredis';
import { keyspaceOf } from '../support/keyspace.js';
import { ownRedis } from '../support/redis.js';
import { fill } from './operations.js';
import { closeApis, startApi } from './support.js';

/** A store that can be looked at as a whole, with something for each request to work on and for each to be refused for. */
export async function openFullStore() {
  const redis = await ownRedis({ appendfsync: 'everysec' });
  const client = new Redis(redis.url);
  const queue = createRedisQueue({ address: { url: redis.url } });
  await queue.open();
  await fill(queue);
  await queue.drain('drained');
  await queue.configure('full', { backlog: 1 });
  await queue.enqueue([{ type: 'a', queue: 'full' }]);
  const { http, url } = await startApi(queue);
  // Known under the keys of a lone task and of the first one of a batch.
  for (const key of ['used', 'used:0', 'gone', 'gone:0']) {
    const task = { type: 'a', queue: 'keys' };
    const { body } = await http.post('/v1/tasks').set('idempotency-key', key).send(task).expect(202);
    if (key.startsWith('used')) continue;
    await queue.cancel([body.id]);
    await queue.remove([body.id]);
  }
  return {
    queue,
    url,
    contents: () => keyspaceOf(client),
    async cleanup() {
      await closeApis();
      await queue.close();
      await client.quit();
      await redis.cleanup();
    },
  };
}

/** The tasks of that store that are refused, with the idempotency key that they come with, by why. */
export const REFUSED_TASKS: Readonly<Record<string, { task: object; key?: string }>> = {
  'id-conflict': { task: { type: 'another', queue: 'emails', id: 'order-42' } },
  'queue-draining': { task: { type: 'a', queue: 'drained' } },
  'backlog-full': { task: { type: 'a', queue: 'full' } },
  'idempotency-mismatch': { task: { type: 'another', queue: 'keys' }, key: 'used' },
  'task-gone': { task: { type: 'a', queue: 'keys' }, key: 'gone' },
};
