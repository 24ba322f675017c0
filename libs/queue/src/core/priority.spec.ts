import fc from 'fast-check';
import { isPriority, parsePriority, PRIORITIES, PRIORITY_NAMES, priorityName } from './priority.js';

describe('priority', () => {
  it('has six names, from the least to the most urgent', () => {
    expect(PRIORITY_NAMES).toEqual(['very_low', 'low', 'normal', 'high', 'very_high', 'critical']);
    expect(Object.values(PRIORITIES)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each(Object.entries(PRIORITIES))('%s and %d are the same', (name, priority) => {
    expect(parsePriority(name)).toBe(priority);
    expect(parsePriority(priority)).toBe(priority);
    expect(priorityName(priority)).toBe(name);
  });

  it.each([
    0,
    7,
    -1,
    1.5,
    NaN,
    Infinity,
    '3',
    '',
    'NORMAL',
    'toString',
    '__proto__',
    null,
    undefined,
    {},
    [3],
    true,
  ])('%p is none', (value) => {
    expect(parsePriority(value)).toBeUndefined();
    expect(isPriority(value)).toBe(false);
  });

  it('is one of 1 to 6 whatever is parsed', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const priority = parsePriority(value);
        expect(priority === undefined || isPriority(priority)).toBe(true);
      }),
    );
  });
});
