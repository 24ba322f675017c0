import fc from 'fast-check';
import type { Parameter } from './operations.js';

/* Requests as nobody should send them: those of the API's own examples, with something wrong. */

export interface Operation {
  method: string;
  path: string;
  parameters: readonly Parameter[];
  /** Bodies that are right, none for an operation without. */
  bodies: unknown[];
}

export interface AnyRequest {
  method: string;
  /** With its query, encoded. */
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export function anyRequest({ method, path, parameters, bodies }: Operation): fc.Arbitrary<AnyRequest> {
  const ofPath = parameters.filter((parameter) => parameter.in === 'path');
  const ofQuery = parameters.filter((parameter) => parameter.in === 'query');
  return fc.record({
    method: fc.constant(method),
    path: fc
      .tuple(
        fc.tuple(...ofPath.map(({ schema }) => mostly(encoded(schema.example), segment))),
        fc.array(
          fc.tuple(
            mostly(fc.constantFrom(...ofQuery.map(({ name }) => name), 'wait'), fc.string()),
            fc.oneof(fc.constantFrom(...ofQuery.map(({ schema }) => schema.example ?? ''), ''), hardString),
          ),
          { maxLength: 3 },
        ),
      )
      .map(([segments, query]) => filled(path, segments) + toQuery(query)),
    headers,
    body: bodies.length > 0 ? anyBody(bodies) : mostly(fc.constant(undefined), text(junk)),
  });
}

/** Nine times of ten the first. */
function mostly<T>(usual: fc.Arbitrary<T>, strange: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: usual, weight: 9 }, { arbitrary: strange, weight: 1 });
}

const hardString = fc.oneof(
  fc.constantFrom(
    ...'0 -1 1e3 null undefined true critical ~ a~ ~a a~b~c .. * {x} [ % %s \\ " a:b'.split(' '),
    ...'constructor __proto__ toString 99999999999999999999'.split(' '),
    ...['', ' ', '\0', 'a\r\nb', '\u202e', '\ud83d\ude00', 'é'.normalize('NFD')],
    ...['x'.repeat(129), 'x'.repeat(5_000)],
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

/** Segments of a path, some of which cannot be decoded. */
const segment = fc.oneof(
  fc.constantFrom('%zz', '%', '%c0%80', '%2e%2e', '%2F', '%00', '', '.', 'a%0d%0ab'),
  hardString.map(encodeURIComponent),
);

function encoded(example: unknown): fc.Arbitrary<string> {
  return mostly(fc.constant(example), fc.constantFrom('emails', 'emails~nothing', 'nowhere')).map((one) =>
    encodeURIComponent(String(one)),
  );
}

/** The path with its parameters. */
export function filled(path: string, segments: readonly string[]): string {
  const left = [...segments];
  return path.replace(/\{\w+\}/g, () => left.shift()!);
}

function toQuery(pairs: readonly (readonly [string, unknown])[]): string {
  const parts = pairs.map((pair) => pair.map((part) => encodeURIComponent(String(part))).join('='));
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

const contentType = mostly(
  fc.constant('application/json'),
  fc.constantFrom(
    ...['text/plain', 'application/x-ndjson', 'application/json; charset=latin1', 'application/xml', ';', ''],
  ),
);

const headerName = fc.constantFrom(
  ...'prefer idempotency-key if-none-match last-event-id accept content-encoding x-request-id'.split(' '),
);

const headerValue = fc.oneof(
  fc.constantFrom('', '"', '""', '"a"', 'wait=0', 'wait=-1', 'wait=x', 'W/"x"', '*', 'x'.repeat(200), 'ü'),
  fc.string({ maxLength: 20 }).map((value) => value.replaceAll(/[^\x20-\x7e]/g, 'ü')),
);

const headers: fc.Arbitrary<Record<string, string>> = fc
  .tuple(mostly(fc.constant({}), fc.dictionary(headerName, headerValue, { maxKeys: 2 })), contentType)
  .map(([some, type]) => ({ ...some, 'content-type': type }));

/** JSON that JSON.stringify does not write, or not so. */
const RAW = [
  ...'1e999 -1e999 1e-999 -0 123456789012345678901234567890 0.1234567890123456789 01 +1 NaN'.split(' '),
  ...[
    '"\\ud800"',
    '"\\u0000"',
    '{"__proto__":{"x":1}}',
    '{"constructor":{"prototype":1}}',
    '{"a":1,"a":2}',
    '',
  ],
  `${'['.repeat(63)}${']'.repeat(63)}`,
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
];
const MARK = '\u2603';

const PLAIN: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53 - 1,
  '',
  'x'.repeat(300),
  '\0',
  [],
  {},
  [null],
];

const junk: fc.Arbitrary<unknown> = fc
  .oneof(
    fc.constantFrom(...PLAIN),
    hardString,
    fc.jsonValue({ maxDepth: 3 }),
    fc.nat(RAW.length - 1).map((index) => MARK + index + MARK),
    fc.constantFrom(
      Array.from({ length: 1_001 }, () => 1),
      Object.fromEntries(Array.from({ length: 50 }, (_, n) => [n, 'x'])),
      'x'.repeat(70_000),
      { length: 1_000_000_000, toJSON: 1 },
    ),
  )
  // A change may go into it.
  .map((value) => structuredClone(value));

function anyBody(bodies: readonly unknown[]): fc.Arbitrary<string | undefined> {
  const changed = fc
    .tuple(
      fc.constantFrom(...bodies),
      fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), change), { maxLength: 3 }),
    )
    .map(([body, changes]) =>
      changes.reduce(
        (value, [at, apply]) => changedAt(value, (places) => Math.floor(at * places), apply),
        structuredClone(body),
      ),
    );
  return mostly<string | undefined>(text(changed), fc.option(text(junk), { nil: undefined }));
}

/** As text, now and then cut or bent. */
function text(value: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const whole = value.map((one) =>
    (JSON.stringify(one) ?? '').replaceAll(
      new RegExp(`"${MARK}(\\d+)${MARK}"`, 'g'),
      (_, index) => RAW[Number(index)]!,
    ),
  );
  const bent = fc
    .tuple(whole, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), fc.string({ maxLength: 3 }))
    .map(([full, at, cut, put]) => {
      const start = Math.floor(at * full.length);
      return full.slice(0, start) + put + full.slice(start + cut);
    });
  return mostly(whole, bent);
}

/** Every field of each body, at any depth, left out and given every plain value that is mostly wrong. */
export function* everyChange(bodies: readonly unknown[]): Generator<unknown> {
  const changes = [
    deleting,
    ...PLAIN.map(
      (value): Change =>
        (holder, key) =>
          void (holder[key] = value),
    ),
  ];
  for (const body of bodies) {
    for (let place = 1; place < placesIn({ body }).length; place++) {
      for (const apply of changes) yield changedAt(structuredClone(body), () => place, apply);
    }
  }
}

type Change = (holder: Record<string, unknown>, key: string) => void;

const deleting: Change = (holder, key) => void delete holder[key];

const change: fc.Arbitrary<Change> = fc.oneof(
  junk.map(
    (value): Change =>
      (holder, key) =>
        void (holder[key] = value),
  ),
  fc.constant(deleting),
  fc.tuple(hardString, junk).map(
    ([name, value]): Change =>
      (holder) =>
        void Object.defineProperty(holder, name, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        }),
  ),
);

type Place = [holder: Record<string, unknown>, key: string];

/** Applies a change to one of the places in a body. */
function changedAt(body: unknown, choose: (places: number) => number, apply: Change): unknown {
  const root = { body };
  const places = placesIn(root);
  apply(...places[choose(places.length)]!);
  return root.body;
}

/** Whatever can be changed, at any depth: the whole body first. */
function placesIn(root: { body: unknown }): Place[] {
  const places: Place[] = [];
  const collect = (holder: Record<string, unknown>, key: string): void => {
    places.push([holder, key]);
    const value = holder[key];
    if (typeof value !== 'object' || value === null) return;
    for (const inner of Object.keys(value)) collect(value as Record<string, unknown>, inner);
  };
  collect(root, 'body');
  return places;
}
