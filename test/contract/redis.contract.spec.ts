import { describeQueue, ManualClock } from '@app/queue/testing';
import { openTestQueue } from '../support/redis.js';

describeQueue('RedisQueue', async () => {
  const clock = new ManualClock();
  const { queue, another, cleanup } = await openTestQueue({ clock, random: () => 0.5 });
  // Idempotency keys and repeated leases are forgotten by Redis' own clock.
  return { queue, clock, another, forgetsByClock: false, cleanup };
});
