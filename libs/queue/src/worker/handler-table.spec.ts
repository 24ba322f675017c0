import { HandlerTable } from './handler-table.js';

const run = () => {};

test('handlers are found by type, and queues are listed once', () => {
  const table = new HandlerTable([
    { type: 'a', run },
    { type: 'b', queue: 'slow', run },
    { type: 'c', queue: 'slow', run },
  ]);
  expect(table.get('b')).toMatchObject({ queue: 'slow' });
  expect(table.get('d')).toBeUndefined();
  expect(table.queues()).toEqual(['default', 'slow']);
  expect(table.routes()).toEqual({ a: 'default', b: 'slow', c: 'slow' });
});

test('two handlers of one type are refused', () => {
  expect(
    () =>
      new HandlerTable([
        { type: 'a', run },
        { type: 'a', run },
      ]),
  ).toThrow('"a" has two handlers');
});

test.each([
  [{ type: 'a b', run }, 'type must be'],
  [{ type: 'a', queue: 'a/b', run }, 'queue must be'],
  [{ type: 'a', concurrency: 0, run }, 'concurrency must be'],
  [{ type: 'a', timeoutMs: 1.5, run }, 'timeoutMs must be'],
  [{ type: 'a', retry: { maxAttempts: 0 }, run }, 'retry/maxAttempts must be'],
])('%j is refused, naming the type', (definition, message) => {
  expect(() => new HandlerTable([definition])).toThrow(message);
  expect(() => new HandlerTable([definition])).toThrow(`"${definition.type}"`);
});
