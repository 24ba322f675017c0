import { expect, test } from '@jest/globals';
import { MemoryQueue } from './memory/memory-queue.js';
import { meterQueue } from './metered-queue.js';

test('every operation is observed with its outcome, and answers as it did', async () => {
  const seen: [string, string][] = [];
  const queue = meterQueue(new MemoryQueue(), (operation, outcome, durationMs) => {
    expect(durationMs).toBeGreaterThanOrEqual(0);
    seen.push([operation, outcome]);
  });
  await queue.open();
  const [outcome] = await queue.enqueue([{ type: 'a', queue: 'q' }]);
  expect(outcome).toMatchObject({ status: 'accepted', task: { queue: 'q', state: 'pending' } });
  expect(await queue.waitForWork(['q'], 1_000)).toBe('q');
  expect((await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 5_000 })).tasks).toHaveLength(1);
  await expect(queue.get(['no id'])).rejects.toMatchObject({ code: 'invalid-task-id' });
  await queue.close();
  expect(seen).toEqual([
    ['enqueue', 'ok'],
    ['lease', 'ok'],
    ['get', 'invalid'],
  ]);
});
