import { toQueueError } from './bullmq-errors.js';

const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });

test.each([
  ['LOADING Redis is loading the dataset in memory', 'store-unavailable'],
  ['READONLY You can not write against a read only replica.', 'store-unavailable'],
  ['MASTERDOWN Link with MASTER is down', 'store-unavailable'],
  ['BUSY Redis is busy running a script.', 'store-unavailable'],
  ['MISCONF Redis is configured to save RDB snapshots', 'store-unavailable'],
  ['NOREPLICAS Not enough good replicas to write.', 'store-unavailable'],
  ['UNBLOCKED force unblock from blocking operation', 'store-unavailable'],
  ['OOM command not allowed when used memory > maxmemory.', 'store-full'],
  ['NOAUTH Authentication required.', 'store-unsuitable'],
  ['WRONGPASS invalid username-password pair', 'store-unsuitable'],
  ['NOPERM this user has no permissions', 'store-unsuitable'],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'internal'],
  ['ERR unknown command', 'internal'],
])('%s is %s', (message, code) => {
  expect(toQueueError(reply(message))).toMatchObject({ code });
});

test('what is no reply is a store that did not answer', () => {
  expect(toQueueError(new Error('Connection is closed.'))).toMatchObject({ code: 'store-unavailable' });
  expect(toQueueError(new Error('Command timed out'))).toMatchObject({ code: 'store-unavailable' });
});

test('what BullMQ says of a job and nobody expected is a defect, as is one of the language', () => {
  expect(toQueueError(Object.assign(new Error('Missing lock'), { code: -2 }))).toMatchObject({
    code: 'internal',
  });
  expect(toQueueError(new TypeError('x is not a function'))).toMatchObject({ code: 'internal' });
});
