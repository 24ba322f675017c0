import { jest } from '@jest/globals';
import { decodeTime, isValid } from 'ulid';
import { KeyMaker } from './key-maker.js';

describe('The keys of tasks that brought none', () => {
  const keys = new KeyMaker();
  afterEach(() => jest.restoreAllMocks());

  it('are ULIDs, each above the one before', () => {
    const made = Array.from({ length: 10_000 }, () => keys.next());
    expect(made.every((key) => isValid(key))).toBe(true);
    expect(made).toEqual([...new Set(made)].toSorted());
  });

  it('say when they were made', () => {
    const before = Date.now();
    const at = decodeTime(keys.next());
    expect(at).toBeGreaterThanOrEqual(before);
    expect(at).toBeLessThanOrEqual(Date.now());
  });

  it('go on rising where the clock goes back', () => {
    const before = keys.next();
    jest.spyOn(Date, 'now').mockReturnValue(decodeTime(before) - 60_000);
    expect(keys.next() > before).toBe(true);
  });
});
