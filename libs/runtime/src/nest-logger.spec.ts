import { createLogger } from './log.js';
import { NestLogger } from './nest-logger.js';

const setup = () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    name: 'api',
    level: 'trace',
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  return { lines, nest: new NestLogger(log) };
};

test("Nest's levels are mapped to the logger's", () => {
  const { lines, nest } = setup();
  for (const level of ['log', 'error', 'warn', 'debug', 'verbose', 'fatal'] as const) nest[level](level);
  expect(lines.map(({ level, msg }) => [msg, level])).toEqual([
    ['log', 'info'],
    ['error', 'error'],
    ['warn', 'warn'],
    ['debug', 'debug'],
    ['verbose', 'trace'],
    ['fatal', 'fatal'],
  ]);
});

test('the last word is the context', () => {
  const { lines, nest } = setup();
  nest.log('mapped', { path: '/x' }, 'Router');
  expect(lines[0]).toMatchObject({ msg: 'mapped', context: 'Router', details: { path: '/x' } });
});

test('a stack given as text is recognised', () => {
  const { lines, nest } = setup();
  nest.error('boom', 'Error: boom\n    at x (y.js:1:1)', 'Ctx');
  expect(lines[0]).toMatchObject({ msg: 'boom', context: 'Ctx', stack: 'Error: boom\n    at x (y.js:1:1)' });
});

test('an error is serialized, as message or beside one', () => {
  const { lines, nest } = setup();
  nest.error(new TypeError('boom'));
  nest.error('while starting', new TypeError('boom'));
  expect(lines[0]).toMatchObject({ msg: 'boom', err: { type: 'TypeError', message: 'boom' } });
  expect(lines[1]).toMatchObject({ msg: 'while starting', err: { type: 'TypeError' } });
});

test('an object as message is kept as a field', () => {
  const { lines, nest } = setup();
  nest.log({ a: 1 });
  expect(lines[0]).toMatchObject({ message: { a: 1 } });
});
