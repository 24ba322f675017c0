import { partitionQueue } from '@app/queue';
import { describeQueue, ManualClock, MemoryQueue } from '@app/queue/testing';

// What holds for queues that are split: partitions/.
describeQueue('a queue that is not split', async () => {
  const clock = new ManualClock();
  const queue = partitionQueue(new MemoryQueue({ clock, random: () => 0.5 }));
  await queue.open();
  return { queue, clock, cleanup: () => queue.close() };
});
