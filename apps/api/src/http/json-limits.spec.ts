import fc from 'fast-check';
import { checkJsonLimits, JSON_DEPTH_MAX } from './json-limits.js';

const scan = (text: string) => checkJsonLimits(Buffer.from(text));
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

test('nesting up to the limit passes, one more does not', () => {
  expect(() => scan('['.repeat(JSON_DEPTH_MAX) + ']'.repeat(JSON_DEPTH_MAX))).not.toThrow();
  expect(() => scan('{"a":'.repeat(JSON_DEPTH_MAX + 1))).toThrow(/deeper than 64/);
});

test('brackets and numbers inside strings count for nothing', () => {
  expect(() =>
    scan(JSON.stringify({ a: `${'['.repeat(100)}"\\`, '12345678901234567890': '\\"1e999' })),
  ).not.toThrow();
});

test.each([
  '9007199254740993',
  '-12345678901234567890',
  '1e400',
  '-1E999',
  '1'.repeat(500),
  '9007199254740992',
])('the number %s is refused, since it would become another one', (number) => {
  expect(() => scan(`{"a":${number}}`)).toThrow(/exactly/);
});

test.each(['9007199254740991', '0', '-1', '1e10', '0.1', '3.141592653589793238', '1E-7', '12.50e+3'])(
  'the number %s passes',
  (number) => {
    expect(() => scan(`[${number}]`)).not.toThrow();
  },
);

test('whatever JSON within the limits is passes, and comes back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      fc.pre(depthOf(value) <= JSON_DEPTH_MAX && !/\d{16}(?![.\d]*[.e])/.test(text));
      expect(() => scan(text)).not.toThrow();
    }),
  );
});

/** Time on a processor, in ms: other work that shares the machine does not count. */
function busyMs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

test('a megabyte is looked through in a few milliseconds', () => {
  const bytes = Buffer.from(
    JSON.stringify(Array.from({ length: 30_000 }, (_, n) => ({ id: n, name: 'a "b" \\ c', at: 1.5 }))),
  );
  // About 15 ms.
  expect(busyMs(() => checkJsonLimits(bytes))).toBeLessThan(500);
});

test('a string of quotes and backslashes takes no longer than another', () => {
  const texts = [`"${'\\\\'.repeat(400_000)}\\"`, `"${'\\"'.repeat(400_000)}"`];
  expect(busyMs(() => texts.forEach(scan))).toBeLessThan(500);
});
