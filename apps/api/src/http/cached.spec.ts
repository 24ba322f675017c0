import { cached } from './cached.js';

test('callers that meet share one load, and later ones the last result while it is young', async () => {
  let loads = 0;
  const read = cached(60_000, async () => ++loads);
  expect(await Promise.all([read(), read(), read()])).toEqual([1, 1, 1]);
  expect(await read()).toBe(1);
});

test('an old result is loaded again', async () => {
  let loads = 0;
  const read = cached(0, async () => ++loads);
  await read();
  expect(await read()).toBe(2);
});

test('a failure is told to those who met and not kept', async () => {
  let loads = 0;
  const read = cached(60_000, async () => {
    if (++loads === 1) throw new Error('away');
    return loads;
  });
  await Promise.all([expect(read()).rejects.toThrow('away'), expect(read()).rejects.toThrow('away')]);
  expect(await read()).toBe(2);
});
