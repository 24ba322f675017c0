import { serializeError } from './serialize-error.js';

test('causes and aggregated errors are followed', () => {
  const error = new AggregateError([new TypeError('a')], 'all failed', { cause: new Error('why') });
  expect(serializeError(error)).toMatchObject({
    type: 'AggregateError',
    message: 'all failed',
    cause: { type: 'Error', message: 'why' },
    errors: [{ type: 'TypeError', message: 'a' }],
  });
});

test('a ring of causes ends', () => {
  const error = new Error('ring');
  error.cause = error;
  expect(JSON.stringify(serializeError(error)).match(/"message"/g)).toHaveLength(5);
});

test('anything else that was thrown is turned into text', () => {
  expect(serializeError('oops')).toEqual({ type: 'string', message: 'oops' });
  expect(serializeError(Object.create(null))).toEqual({ type: 'object', message: 'not an error' });
});
