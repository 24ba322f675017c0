import { parseDurationMs, showDurationMs } from './duration.js';
import { setting, type Setting, type SettingOptions, type ValueOf } from './setting.js';

/** A whole number in a closed range. */
export function integer<const O extends SettingOptions<number>>(
  range: { min?: number; max?: number },
  options: O,
): Setting<ValueOf<number, O>> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = range;
  return setting<number, O>(
    { expected: `an integer${rangeText(range)}`, parse: (text) => parseInteger(text, min, max) },
    options,
  );
}

/** A TCP port; 0 lets the system choose one. */
export function port<const O extends SettingOptions<number>>(options: O): Setting<ValueOf<number, O>> {
  return setting<number, O>(
    { expected: 'a port number, 0 to 65535', parse: (text) => parseInteger(text, 0, 65_535) },
    options,
  );
}

/** true/false, 1/0, on/off, yes/no, in any case. */
export function boolean<const O extends SettingOptions<boolean>>(options: O): Setting<ValueOf<boolean, O>> {
  return setting<boolean, O>(
    { expected: 'true or false (also 1/0, on/off, yes/no)', parse: parseBoolean },
    options,
  );
}

/** Free text; with `pattern`, the whole text must match it (the pattern is anchored here, not by the caller). */
export function string<const O extends SettingOptions<string>>(
  form: { pattern?: RegExp; expected?: string },
  options: O,
): Setting<ValueOf<string, O>> {
  const whole = form.pattern && new RegExp(`^(?:${form.pattern.source})$`, form.pattern.flags);
  return setting<string, O>(
    {
      expected: form.expected ?? (form.pattern ? `text matching ${form.pattern.source}` : 'text'),
      parse: (text) => accept(text, !whole || whole.test(text)),
    },
    options,
  );
}

/** One word of a list, in any case; the value is the word as declared. */
export function oneOf<const C extends readonly string[], const O extends SettingOptions<C[number]>>(
  choices: C,
  options: O,
): Setting<ValueOf<C[number], O>> {
  return setting<C[number], O>(
    {
      expected: `one of ${choices.join(', ')}`,
      parse: (text) => required(choices.find((choice) => choice.toLowerCase() === text.toLowerCase())),
    },
    options,
  );
}

/** A comma-separated list; blanks around items and empty items are dropped. `pattern` must match each whole item. */
export function list<const O extends SettingOptions<readonly string[]>>(
  form: { pattern?: RegExp; expected?: string },
  options: O,
): Setting<ValueOf<readonly string[], O>> {
  const whole = form.pattern && new RegExp(`^(?:${form.pattern.source})$`, form.pattern.flags);
  return setting<readonly string[], O>(
    {
      expected: form.expected ?? 'a comma-separated list',
      parse: (text) => {
        const items = splitList(text);
        // Commas and nothing between them: whoever wrote that meant something, and it was not the empty list.
        accept(text, items.length > 0);
        return Object.freeze(items.map((item) => accept(item, !whole || whole.test(item))));
      },
      show: (items) => items.join(','),
    },
    options,
  );
}

/**
 * A length of time, read as milliseconds: `500ms`, `30s`, `5m`, `24h`, `7d`, or a whole number of milliseconds.
 * Bounds are in milliseconds too. Default bounds: 0 and no upper one.
 */
export function duration<const O extends SettingOptions<number>>(
  range: { minMs?: number; maxMs?: number },
  options: O,
): Setting<ValueOf<number, O>> {
  const { minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = range;
  const bounds = [
    range.minMs === undefined ? '' : `at least ${showDurationMs(range.minMs)}`,
    range.maxMs === undefined ? '' : `at most ${showDurationMs(range.maxMs)}`,
  ].filter(Boolean);
  return setting<number, O>(
    {
      expected: ['a duration such as 500ms, 30s, 5m or 24h', ...bounds].join(', '),
      parse: (text) => {
        const ms = parseDurationMs(text);
        return accept(ms, ms >= minMs && ms <= maxMs);
      },
      show: showDurationMs,
    },
    options,
  );
}

/** One end of a TCP connection. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A comma-separated list of `host:port`; an IPv6 address is written in brackets. */
export function hostPorts<const O extends SettingOptions<readonly HostPort[]>>(
  options: O,
): Setting<ValueOf<readonly HostPort[], O>> {
  return setting<readonly HostPort[], O>(
    {
      expected: 'a comma-separated list of host:port',
      parse: (text) => {
        const items = splitList(text).map(parseHostPort);
        return accept(Object.freeze(items), items.length > 0);
      },
      show: (items) => items.map(showHostPort).join(','),
    },
    options,
  );
}

/** An absolute URL with one of the given schemes (written without the colon); the value keeps the text as given. */
export function url<const O extends SettingOptions<string>>(
  schemes: readonly string[],
  options: O,
): Setting<ValueOf<string, O>> {
  return setting<string, O>(
    {
      expected: `a URL starting with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
      parse: (text) => {
        const { protocol, host } = new URL(text);
        return accept(text, host !== '' && schemes.includes(protocol.slice(0, -1)));
      },
    },
    options,
  );
}

/** Writes `host:port`, with brackets around an IPv6 address. */
export function showHostPort({ host, port: number }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${number}`;
}

function parseInteger(text: string, min: number, max: number): number {
  const value = Number(text);
  // Number() also takes '0x10', '1e3' and ' 7 ', none of which an operator means.
  return accept(value, /^-?\d{1,16}$/.test(text) && value >= min && value <= max);
}

function parseBoolean(text: string): boolean {
  const word = text.toLowerCase();
  if (['true', '1', 'on', 'yes'].includes(word)) return true;
  return !accept(word, ['false', '0', 'off', 'no'].includes(word));
}

function parseHostPort(text: string): HostPort {
  const match = required(/^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d+)$/.exec(text) ?? undefined);
  return Object.freeze({
    host: required(match[1] ?? match[2]),
    port: parseInteger(required(match[3]), 1, 65_535),
  });
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
}

function rangeText({ min, max }: { min?: number; max?: number }): string {
  if (min !== undefined && max !== undefined) return `, ${min} to ${max}`;
  if (min !== undefined) return `, at least ${min}`;
  return max === undefined ? '' : `, at most ${max}`;
}

// The message never reaches anyone: what was expected is said by the setting itself, so that no parser can leak a value.
function accept<T>(value: T, ok: boolean): T {
  if (!ok) throw new Error('not acceptable');
  return value;
}

function required<T>(value: T | undefined): T {
  return accept(value, value !== undefined) as T;
}
