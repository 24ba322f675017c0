import { boolean, duration, hostPorts, integer, list, oneOf, port, string, url } from './kinds.js';
import { readSettings } from './read-settings.js';
import type { Setting } from './setting.js';
import { defineSettings } from './settings-table.js';

const options = { env: 'X', description: 'X.' };

const read = <T>(setting: Setting<T>, text: string): T =>
  readSettings({ t: defineSettings('T', { x: setting }) }, { X: text }).t.x;

const accepts = <T>(setting: Setting<T>, rows: readonly (readonly [string, T])[]): void => {
  for (const [text, value] of rows) expect(read(setting, text)).toEqual(value);
};

const refuses = (setting: Setting<unknown>, texts: readonly string[]): void => {
  for (const text of texts)
    expect(() => read(setting, text)).toThrow(`X=${JSON.stringify(text)}: expected ${setting.expected}`);
};

test('an integer is written in decimal digits and lies in its range', () => {
  const setting = integer({ min: -2, max: 5 }, options);
  accepts(setting, [['-2', -2], ['0', 0], ['5', 5]]); // prettier-ignore
  refuses(setting, ['-3', '6', '1.5', '1e0', '0x1', 'one', ' 1 x', '99999999999999999999']);
});

test('an integer says the range it has', () => {
  const expected = [{}, { min: 1 }, { max: 9 }, { min: 1, max: 9 }].map(
    (range) => integer(range, options).expected,
  );
  expect(expected).toEqual([
    'an integer',
    'an integer, at least 1',
    'an integer, at most 9',
    'an integer, 1 to 9',
  ]);
});

test('a port is 0 to 65535', () => {
  accepts(port(options), [['0', 0], ['65535', 65_535]]); // prettier-ignore
  refuses(port(options), ['65536', '-1', 'http']);
});

test('a boolean has four spellings in any case', () => {
  const spellings = (words: string[], value: boolean) => words.map((word) => [word, value] as const);
  accepts(boolean(options), spellings(['true', '1', 'ON', 'Yes'], true));
  accepts(boolean(options), spellings(['false', '0', 'off', 'NO'], false));
  refuses(boolean(options), ['maybe', '2', 'y']);
});

test('a string matches its pattern from end to end', () => {
  accepts(string({ pattern: /a|b/ }, options), [['a', 'a'], ['b', 'b']]); // prettier-ignore
  refuses(string({ pattern: /a|b/ }, options), ['ab', 'xa', 'b\n']);
});

test('a choice is found in any case and given as declared', () => {
  const setting = oneOf(['info', 'warn'], options);
  accepts(setting, [['INFO', 'info'], ['warn', 'warn']]); // prettier-ignore
  refuses(setting, ['infos', 'war']);
});

test('a list drops blanks and empty items and checks each item', () => {
  const setting = list({ pattern: /[a-z]+/ }, options);
  accepts(setting, [['a, b,,c ', ['a', 'b', 'c']]]); // prettier-ignore
  refuses(setting, ['a,1', ',']);
});

test('a duration is read in milliseconds and lies in its bounds', () => {
  const setting = duration({ minMs: 500, maxMs: 86_400_000 }, options);
  accepts(setting, [['500ms', 500], ['30s', 30_000], ['1.5m', 90_000], ['24h', 86_400_000], ['1d', 86_400_000], ['1500', 1_500]]); // prettier-ignore
  refuses(setting, ['499', '25h', '-1s', '5 parsecs', '1w', '0.0001ms']);
  expect(setting.expected).toBe('a duration such as 500ms, 30s, 5m or 24h, at least 500ms, at most 1d');
});

test('host and port pairs may be names, IPv4 and bracketed IPv6', () => {
  accepts(hostPorts(options), [
    ['redis-0:6379, 10.0.0.1:1', [{ host: 'redis-0', port: 6379 }, { host: '10.0.0.1', port: 1 }]],
    ['[::1]:26379', [{ host: '::1', port: 26_379 }]],
  ]); // prettier-ignore
  refuses(hostPorts(options), ['redis', 'redis:0', 'redis:70000', '::1:6379', ',', 'a:1,b']);
});

test('a URL has one of the schemes and a host, and is kept as given', () => {
  accepts(url(['redis', 'rediss'], options), [['rediss://u:p@h:1/2', 'rediss://u:p@h:1/2']]);
  refuses(url(['redis'], options), ['http://h', 'h:6379', 'redis://', 'not a url']);
});
