import { LIMITS } from './limits.js';
import { checkNewTask, withDefaults } from './new-task.js';
import type { NewTask } from './ports/producer.js';
import { DEFAULT_RETRY } from './retry.js';

const check = (given: Record<string, unknown>) => () => checkNewTask({ type: 'a', ...given } as NewTask);

describe('checkNewTask', () => {
  it.each<[string, Partial<NewTask>]>([
    ['nothing but a type', {}],
    ['a payload of the greatest length', { payload: 'x'.repeat(LIMITS.payloadBytesMax) }],
    ['the least numbers', { delayMs: 0, ttlMs: 1, timeoutMs: 1, priority: 1 }],
    [
      'the greatest numbers',
      { delayMs: LIMITS.delayMsMax, ttlMs: LIMITS.delayMsMax, timeoutMs: LIMITS.timeoutMsMax, priority: 6 },
    ],
    ['any moment', { runAtMs: Number.MAX_SAFE_INTEGER }],
    ['a moment long past', { runAtMs: 0 }],
    ['all tags', { tags: Array.from({ length: LIMITS.tagsMax }, (_, i) => `t${i}`) }],
    [
      'a metadata name that objects inherit',
      { metadata: JSON.parse('{"__proto__":"x"}') as Record<string, string> },
    ],
    ['a policy', { retry: DEFAULT_RETRY }],
    ['listed delays', { retry: { ...DEFAULT_RETRY, backoff: [0, LIMITS.retryDelayMsMax] } }],
  ])('accepts %s', (_, given) => {
    expect(check(given)).not.toThrow();
  });

  const tooMany = Array.from({ length: LIMITS.metadataEntriesMax + 1 }, (_, i) => [`k${i}`, '']);
  it.each<[string, Record<string, unknown>, string]>([
    ['no type', { type: undefined }, '/type'],
    ['an empty type', { type: '' }, '/type'],
    ['a bad queue', { queue: 'a b' }, '/queue'],
    ['a bad key', { key: 'a~b' }, '/id'],
    ['a bad tenant', { tenant: '' }, '/tenant'],
    ['a bad idempotency key', { idempotency: { key: '', fingerprint: 'f' } }, '/idempotencyKey'],
    ['priority 0', { priority: 0 }, '/priority'],
    ['priority 7', { priority: 7 }, '/priority'],
    ['a priority by name', { priority: 'high' }, '/priority'],
    ['a payload that is too long', { payload: 'x'.repeat(LIMITS.payloadBytesMax + 1) }, '/payload'],
    ['a payload too long in bytes', { payload: 'é'.repeat(LIMITS.payloadBytesMax / 2 + 1) }, '/payload'],
    ['a delay and a moment', { delayMs: 1, runAtMs: 1 }, '/runAt'],
    ['a negative delay', { delayMs: -1 }, '/delay'],
    ['a fraction of a delay', { delayMs: 0.5 }, '/delay'],
    ['no number for a delay', { delayMs: NaN }, '/delay'],
    ['text for a delay', { delayMs: '5' }, '/delay'],
    ['too long a delay', { delayMs: LIMITS.delayMsMax + 1 }, '/delay'],
    ['a moment before time', { runAtMs: -1 }, '/runAt'],
    ['a moment beyond numbers', { runAtMs: Number.MAX_SAFE_INTEGER + 1 }, '/runAt'],
    ['no time to live', { ttlMs: 0 }, '/ttl'],
    ['no timeout', { timeoutMs: 0 }, '/timeout'],
    ['too long a timeout', { timeoutMs: LIMITS.timeoutMsMax + 1 }, '/timeout'],
    ['too many tags', { tags: Array(LIMITS.tagsMax + 1).fill('t') }, '/tags'],
    ['a bad tag', { tags: ['ok', ''] }, '/tags/1'],
    ['too much metadata', { metadata: Object.fromEntries(tooMany) }, '/metadata'],
    ['a bad metadata name', { metadata: { 'a b': '' } }, '/metadata/a b'],
    ['metadata that is not text', { metadata: { a: 1 } }, '/metadata/a'],
    [
      'metadata that is too long',
      { metadata: { a: 'x'.repeat(LIMITS.metadataValueCharsMax + 1) } },
      '/metadata/a',
    ],
    ['no attempts', { retry: { ...DEFAULT_RETRY, maxAttempts: 0 } }, '/retry/maxAttempts'],
    [
      'too many attempts',
      { retry: { ...DEFAULT_RETRY, maxAttempts: LIMITS.retryAttemptsMax + 1 } },
      '/retry/maxAttempts',
    ],
    ['a negative retry delay', { retry: { ...DEFAULT_RETRY, delayMs: -1 } }, '/retry/delay'],
    [
      'too long a cap',
      { retry: { ...DEFAULT_RETRY, maxDelayMs: LIMITS.retryDelayMsMax + 1 } },
      '/retry/maxDelay',
    ],
    ['an unknown jitter', { retry: { ...DEFAULT_RETRY, jitter: 'some' } }, '/retry/jitter'],
    ['an unknown backoff', { retry: { ...DEFAULT_RETRY, backoff: 'toString' } }, '/retry/backoff'],
    ['no delays', { retry: { ...DEFAULT_RETRY, backoff: [] } }, '/retry/backoff'],
    [
      'too many delays',
      { retry: { ...DEFAULT_RETRY, backoff: Array(LIMITS.retryDelaysMax + 1).fill(1) } },
      '/retry/backoff',
    ],
    ['a bad delay in a list', { retry: { ...DEFAULT_RETRY, backoff: [1, -1] } }, '/retry/backoff/1'],
    ['an object for a backoff', { retry: { ...DEFAULT_RETRY, backoff: {} } }, '/retry/backoff'],
  ])('refuses %s, and points to it', (_, given, pointer) => {
    expect(check(given)).toThrow(
      expect.objectContaining({
        code: 'invalid-task',
        kind: 'invalid',
        data: expect.objectContaining({ pointer }),
      }),
    );
  });
});

describe('withDefaults', () => {
  it('fills what was left out, and leaves what was given', () => {
    expect(withDefaults({ type: 'a' })).toEqual({ tenant: 'default', priority: 3, tags: [], metadata: {} });
    const given = { tenant: 't', priority: 6, tags: ['x'], metadata: { a: '1' } } as const;
    expect(withDefaults({ type: 'a', ...given })).toEqual(given);
  });
});
