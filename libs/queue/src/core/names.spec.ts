import fc from 'fast-check';
import { QueueError } from './errors.js';
import {
  checkName,
  checkQueueName,
  DEFAULT_QUEUE,
  DEFAULT_TENANT,
  NAME_PATTERNS,
  NAME_RULES,
  splitTaskId,
  taskId,
} from './names.js';

const queues = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
const keys = fc.stringMatching(/^[!-}]{1,128}$/);

describe('task ids', () => {
  it('split into what they were made of', () => {
    fc.assert(
      fc.property(queues, keys, (queue, key) => {
        expect(splitTaskId(taskId(queue, key))).toEqual({ queue, key });
      }),
    );
  });

  it('may name a partition of their queue', () => {
    for (const partition of ['emails~1', 'emails~9', 'emails~10', 'emails~63']) {
      expect(splitTaskId(taskId(partition, 'k'))).toEqual({ queue: partition, key: 'k' });
    }
  });

  it('are different for different parts', () => {
    fc.assert(
      fc.property(queues, keys, queues, keys, (queueA, keyA, queueB, keyB) => {
        const same = queueA === queueB && keyA === keyB;
        expect(taskId(queueA, keyA) === taskId(queueB, keyB)).toBe(same);
      }),
    );
  });

  it.each([
    '',
    '~',
    'a',
    'a~',
    '~a',
    'a~b~c',
    'a~0~c',
    'a~01~c',
    'a~64~c',
    'a~1~2~c',
    'a~1~',
    '~1~c',
    'a b~c',
    'a~b c',
    'a~\n',
    'a\n~b',
    'ä~b',
    'a~ä',
    `${'q'.repeat(65)}~k`,
    `q~${'k'.repeat(129)}`,
  ])('%j is none', (id) => {
    expect(() => splitTaskId(id)).toThrow(
      expect.objectContaining({ code: 'invalid-task-id', kind: 'invalid' }),
    );
  });

  it('join to themselves, or are refused, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(fc.string(), fc.string()).map((parts) => parts.join('~')),
        ),
        (id) => {
          try {
            const { queue, key } = splitTaskId(id);
            expect(taskId(queue, key)).toBe(id);
          } catch (error) {
            expect(error).toBeInstanceOf(QueueError);
          }
        },
      ),
    );
  });

  it('are not repeated in full by the error about them', () => {
    expect(() => splitTaskId('x'.repeat(100_000))).toThrow(/^.{1,300}$/);
  });
});

describe('names', () => {
  const kinds = Object.keys(NAME_PATTERNS) as (keyof typeof NAME_PATTERNS)[];

  it.each(kinds)('of a %s have a rule in words', (kind) => {
    expect(NAME_RULES[kind]).toMatch(/^1 to \d+ /);
  });

  it.each(kinds)('of a %s are refused where they could be taken for something else', (kind) => {
    for (const bad of [
      '',
      ' ',
      'a b',
      'a~b',
      'a\n',
      '\na',
      'a\u0000',
      'ä',
      '漢',
      'a'.repeat(129),
      7,
      null,
      undefined,
      ['a'],
    ]) {
      expect(() => checkName(kind, bad as string, '/x')).toThrow(
        expect.objectContaining({ code: 'invalid-task', data: expect.objectContaining({ pointer: '/x' }) }),
      );
    }
  });

  it.each(['queue', 'metadataKey'] as const)('of a %s have no character with a meaning in Redis', (kind) => {
    for (const bad of ['{', '}', '*', '?', '[', ']', ':', '\\', '|', '/']) {
      expect(NAME_PATTERNS[kind].test(`a${bad}`)).toBe(false);
    }
  });

  it('of partitions are known to backends and to nobody else', () => {
    checkName('queue', 'emails~1', '/queue');
    checkName('queue', 'emails~63', '/queue');
    checkQueueName('emails', '/queue');
    for (const bad of ['emails~0', 'emails~64', 'emails~1~1', 'emails~', '~1', 'emails~x']) {
      expect(() => checkName('queue', bad, '/queue')).toThrow(QueueError);
    }
    for (const bad of ['emails~1', 'a b', '', undefined]) {
      expect(() => checkQueueName(bad as string, '/x')).toThrow(
        expect.objectContaining({ code: 'invalid-task', data: expect.objectContaining({ pointer: '/x' }) }),
      );
    }
  });

  it('are good by default', () => {
    checkName('queue', DEFAULT_QUEUE, '/queue');
    checkName('tenant', DEFAULT_TENANT, '/tenant');
  });
});
