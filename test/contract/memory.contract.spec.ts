import { describeQueue, ManualClock, MemoryQueue } from '@app/queue/testing';

describeQueue('MemoryQueue', async () => {
  const clock = new ManualClock();
  const queue = new MemoryQueue({ clock, random: () => 0.5 });
  await queue.open();
  return { queue, clock, cleanup: () => queue.close() };
});
