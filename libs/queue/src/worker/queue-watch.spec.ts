import { MemoryQueue } from '../memory/memory-queue.js';
import { QueueWatch } from './queue-watch.js';

test('queues are known once they had a task, beside those that always are', async () => {
  const queue = new MemoryQueue();
  const added: string[][] = [];
  const watch = new QueueWatch({ inspector: queue, always: ['a'], onAdded: (names) => added.push(names) });
  await watch.refresh();
  await queue.enqueue([
    { type: 't', queue: 'b' },
    { type: 't', queue: 'a' },
  ]);
  await watch.refresh();
  await watch.refresh();
  expect(watch.names).toEqual(['a', 'b']);
  expect(added).toEqual([['b']]);
});

test('watching goes on after a failure, and ends when told', async () => {
  const queue = new MemoryQueue();
  await queue.enqueue([{ type: 't', queue: 'b' }]);
  let calls = 0;
  const inspector = {
    queues: async (limit: number, cursor?: string) => {
      if (++calls === 1) throw new Error('away');
      return queue.queues(limit, cursor);
    },
  };
  const found = new Promise((resolve) => {
    const watch = new QueueWatch({
      inspector,
      intervalMs: 1,
      onAdded: (names) => void watch.stop().then(() => resolve(names)),
    });
    watch.start();
  });
  expect(await found).toEqual(['b']);
});
