import { NAME_PATTERNS, NAME_RULES } from '@app/queue';
import { parseDurationMs, showDurationMs } from '@app/runtime';
import type { OpenAPIObject } from '@nestjs/swagger';
import { pointerTo } from './json-pointer.js';
import type { Fault } from './problem.js';

/** A schema of the OpenAPI document. */
export type Schema = Exclude<
  NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>[string],
  { $ref: string }
>;

/** What is wrong with a field that nobody asked for. */
export const UNKNOWN_FIELD = 'is not a known field';

/** What a value must be: in words, as a check that finds every fault, and as a schema. */
export interface Rule {
  schema: Schema;
  /** Everything wrong with the value; pointers are relative to it. */
  faults(value: unknown): Fault[];
}

/** A rule that a value keeps or breaks as a whole; `says` follows the name of the field: "must be …". */
export function rule(says: string, schema: Schema, keeps: (value: unknown) => boolean): Rule {
  return { schema, faults: (value) => (keeps(value) ? [] : [{ pointer: '', detail: says }]) };
}

/** A name, with the engine's own pattern. */
export function name(kind: keyof typeof NAME_PATTERNS): Rule {
  const pattern = NAME_PATTERNS[kind];
  return rule(
    `must be ${NAME_RULES[kind]}`,
    { type: 'string', pattern: pattern.source },
    (value) => typeof value === 'string' && pattern.test(value),
  );
}

export function text(charsMax: number): Rule {
  return rule(
    `must be text of at most ${charsMax} characters`,
    { type: 'string', maxLength: charsMax },
    (value) => typeof value === 'string' && value.length <= charsMax,
  );
}

export function integer(minimum: number, maximum: number): Rule {
  return rule(
    `must be an integer from ${minimum} to ${maximum}`,
    { type: 'integer', minimum, maximum },
    (value) => Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
  );
}

export function boolean(): Rule {
  return rule('must be true or false', { type: 'boolean' }, (value) => typeof value === 'boolean');
}

export function choice(choices: readonly string[]): Rule {
  return rule(
    `must be one of ${choices.join(', ')}`,
    { type: 'string', enum: [...choices] },
    (value) => typeof value === 'string' && choices.includes(value),
  );
}

export function anything(): Rule {
  return { schema: { anyOf: ANY_JSON }, faults: () => [] };
}

export function object(): Rule {
  return rule('must be an object', { type: 'object' }, isObject);
}

/** Integer ms, or a string with a unit. `readDurationMs` gives the value. */
export function duration(minMs: number, maxMs: number): Rule {
  return rule(
    `must be a length of time from ${showDurationMs(minMs)} to ${showDurationMs(maxMs)}: integer milliseconds, or a string such as "500ms", "30s", "5m", "24h" or "7d"`,
    {
      oneOf: [
        { type: 'integer', minimum: minMs, maximum: maxMs },
        { type: 'string', pattern: DURATION.source },
      ],
    },
    (value) => {
      const ms = readDurationMs(value);
      return ms !== undefined && ms >= minMs && ms <= maxMs;
    },
  );
}

/** Milliseconds; `undefined` for what is not a length of time. */
export function readDurationMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'string' || !DURATION.test(value)) return undefined;
  try {
    return parseDurationMs(value);
  } catch {
    return undefined;
  }
}

/** RFC 3339, to the millisecond. */
/** Later ones have no RFC 3339 form. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function time(): Rule {
  return rule(
    'must be an RFC 3339 time such as 2026-01-31T12:00:00Z, from 1970 to 9999',
    { type: 'string', format: 'date-time' },
    (value) => typeof value === 'string' && isTime(value),
  );
}

export function listOf(item: Rule, minItems: number, maxItems: number): Rule {
  return {
    schema: { type: 'array', items: item.schema, minItems, maxItems },
    faults(value) {
      if (!Array.isArray(value) || value.length < minItems || value.length > maxItems) {
        return [{ pointer: '', detail: `must be a list of ${minItems} to ${maxItems} entries` }];
      }
      return value.flatMap((entry, index) => under(index, item.faults(entry)));
    },
  };
}

/** A parameter of a query that can be repeated: one value, or a list of them. */
export function someValues(item: Rule, maxItems: number): Rule {
  const many = listOf(item, 1, maxItems);
  return {
    schema: many.schema,
    faults: (value) => (Array.isArray(value) ? many : item).faults(value),
  };
}

/** An object whose keys and values each keep a rule. */
export function mapOf(key: Rule, entry: Rule, maxProperties: number): Rule {
  return {
    schema: { type: 'object', additionalProperties: entry.schema, maxProperties },
    faults(value) {
      if (!isObject(value)) return [{ pointer: '', detail: 'must be an object' }];
      const entries = Object.entries(value);
      if (entries.length > maxProperties) {
        return [{ pointer: '', detail: `must not have more than ${maxProperties} entries` }];
      }
      return entries.flatMap(([property, held]) => [
        ...under(property, key.faults(property)).map((fault) => ({
          ...fault,
          detail: `key ${fault.detail}`,
        })),
        ...under(property, entry.faults(held)),
      ]);
    },
  };
}

/** An object that may have these keys and no others; every value keeps one rule. */
export function someOf(keys: readonly string[], entry: Rule): Rule {
  return {
    schema: {
      type: 'object',
      properties: Object.fromEntries(keys.map((key) => [key, entry.schema])),
      additionalProperties: false,
    },
    faults(value) {
      if (!isObject(value)) return [{ pointer: '', detail: 'must be an object' }];
      return Object.entries(value).flatMap(([key, held]) =>
        under(key, keys.includes(key) ? entry.faults(held) : [{ pointer: '', detail: UNKNOWN_FIELD }]),
      );
    },
  };
}

export function orNull(one: Rule): Rule {
  return {
    schema: { oneOf: [one.schema, { type: 'null' }] },
    faults: (value) =>
      value === null
        ? []
        : one.faults(value).map((fault) => ({ ...fault, detail: `${fault.detail}; or null` })),
  };
}

/** Any of several forms; what a value of none of them must be is said in one sentence. */
export function either(says: string, forms: readonly Rule[]): Rule {
  return {
    schema: { oneOf: forms.map(({ schema }) => schema) },
    faults(value) {
      const results = forms.map((form) => form.faults(value));
      if (results.some((faults) => faults.length === 0)) return [];
      // A list with a bad entry was meant as a list: the entry is the fault.
      return (
        results.find((faults) => faults.every(({ pointer }) => pointer !== '')) ?? [
          { pointer: '', detail: says },
        ]
      );
    },
  };
}

/** What any JSON is. Said in full, because an empty schema gets the type of its field, which TypeScript calls an object. */
export const ANY_JSON: Schema[] = [
  { type: 'object' },
  { type: 'array', items: {} },
  { type: 'string' },
  { type: 'number' },
  { type: 'boolean' },
  { type: 'null' },
];

/** An object of JSON, no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const DURATION = /^[0-9]{1,15}(\.[0-9]{1,6})?(ms|s|m|h|d)$/;

const TIME =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

function isTime(value: string): boolean {
  const [, year, month, day] = TIME.exec(value)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined) return false;
  // Date would read 30 February as 2 March.
  const date = new Date(Date.UTC(year, month - 1, day));
  const at = Date.parse(value);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && at >= 0 && at <= LATEST_MS;
}

function under(step: string | number, faults: readonly Fault[]): Fault[] {
  return faults.map(({ pointer, detail }) => ({ pointer: pointerTo(step) + pointer, detail }));
}
