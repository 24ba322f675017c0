import { QueueError } from '../core/errors.js';
import type { QueueSettings } from '../core/settings.js';
import { PartitionCounts } from './partition-counts.js';

function setup() {
  const store = { partitions: 3 as number | undefined, away: false, reads: 0 };
  const counts = new PartitionCounts({
    async settings(): Promise<QueueSettings> {
      store.reads += 1;
      if (store.away) throw new QueueError('store-unavailable');
      return { partitions: store.partitions };
    },
  });
  return { store, counts };
}

test('a number is read once for all who ask at the same time, and for a while after', async () => {
  const { store, counts } = setup();
  expect(await Promise.all([counts.of('a'), counts.of('a')])).toEqual([3, 3]);
  expect(await counts.of('a')).toBe(3);
  expect(store.reads).toBe(1);
});

test('a queue of which nothing is said has one partition', async () => {
  const { store, counts } = setup();
  store.partitions = undefined;
  expect(await counts.of('a')).toBe(1);
});

test('a number that is no longer believed is read again', async () => {
  const { store, counts } = setup();
  await counts.of('a');
  store.partitions = 5;
  expect(await counts.of('a', 0)).toBe(5);
  expect(await counts.of('a')).toBe(5);
});

test('while the store is away the last known number holds', async () => {
  const { store, counts } = setup();
  await counts.of('a');
  store.away = true;
  expect(await counts.of('a', 0)).toBe(3);
  await expect(counts.now('a')).rejects.toMatchObject({ kind: 'unavailable' });
  expect(await counts.of('a')).toBe(3);
});

test('a number that was never known is asked for again after a failure', async () => {
  const { store, counts } = setup();
  store.away = true;
  await expect(counts.of('a')).rejects.toMatchObject({ kind: 'unavailable' });
  store.away = false;
  expect(await counts.of('a')).toBe(3);
});

test('what is remembered of names that come from requests is bounded', async () => {
  const { store, counts } = setup();
  for (let i = 0; i <= 10_000; i++) counts.set(`q${i}`, 1);
  store.reads = 0;
  await counts.of('q0');
  expect(store.reads).toBe(1);
});
