import fc from 'fast-check';
import { parseDurationMs, showDurationMs } from './duration.js';

test('what is shown is read as the same duration', () => {
  fc.assert(fc.property(fc.nat(), (ms) => expect(parseDurationMs(showDurationMs(ms))).toBe(ms)));
});

test('the largest unit that keeps the number whole is shown', () => {
  expect([0, 1, 90_000, 120_000, 86_400_000].map(showDurationMs)).toEqual(['0ms', '1ms', '90s', '2m', '1d']);
});

test('what is no length of time is refused', () => {
  for (const text of ['', '-1', '1.5', '0.3ms', 's', '1 s', '1e3', '9'.repeat(17)]) {
    expect(() => parseDurationMs(text)).toThrow(RangeError);
  }
});
