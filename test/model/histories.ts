import type { QueueEvent, QueueName, TaskId } from '@app/queue';
import { ORIGIN } from '../../libs/queue/src/core/event-position.js';
import { queueKey } from '../../libs/queue/src/redis/keys.js';
import { decodeEntry } from '../../libs/queue/src/redis/stream-entry.js';
import type { Pair } from './pair.js';

/** What events tell of each task, in order: of Redis as the stream has it, before anybody hears of it. */
export async function compareHistories(pair: Pair, queue: QueueName, ids: readonly TaskId[]): Promise<void> {
  const { store, ideal } = pair;
  const entries = await store.redis.xrange(queueKey(store.keyPrefix, queue, 'events'), '-', '+');
  const told = entries.flatMap((entry) => decodeEntry(queue, entry).lines.map(({ event }) => event));
  const real = ids.map((id) => [id, told.filter(({ taskId }) => taskId === id).map(inWords)]);
  const expected = await Promise.all(
    ids.map(async (id) => {
      const events: QueueEvent[] = [];
      const follower = { onEvents: (heard: readonly QueueEvent[]) => void events.push(...heard), onGap() {} };
      // What has happened is told before this resolves.
      const following = await ideal.follow({ task: id }, follower, ORIGIN);
      following.stop();
      return [id, events.map(inWords)];
    }),
  );
  expect(Object.fromEntries(real)).toEqual(Object.fromEntries(expected));
}

function inWords({ kind, attempt, type, tenant }: QueueEvent): string {
  return [kind, attempt, type, tenant].join(' ').trim();
}
