import fc from 'fast-check';
import { LIMITS } from './limits.js';
import { checkRetry } from './new-task.js';
import { completeRetry, DEFAULT_RETRY, retryDelayMs } from './retry.js';
import type { RetryPolicy } from './task.js';

const delay = fc.oneof(
  fc.integer({ min: 0, max: LIMITS.retryDelayMsMax }),
  fc.constantFrom(0, 1, LIMITS.retryDelayMsMax),
);
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: LIMITS.retryAttemptsMax }),
  backoff: fc.oneof(
    fc.constantFrom('exponential' as const, 'linear' as const, 'fixed' as const),
    fc.array(delay, { minLength: 1, maxLength: LIMITS.retryDelaysMax }),
  ),
  delayMs: delay,
  maxDelayMs: delay,
  jitter: fc.constantFrom('none' as const, 'full' as const, 'equal' as const),
});
const failures = fc.integer({ min: 1, max: LIMITS.retryAttemptsMax });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('retryDelayMs', () => {
  it('is a whole number of ms within the policy, for every policy that is accepted', () => {
    fc.assert(
      fc.property(policies, failures, random, (policy, count, chance) => {
        checkRetry(policy);
        const delayMs = retryDelayMs(policy, count, chance);
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(policy.maxDelayMs);
      }),
    );
  });

  it('never shrinks from failure to failure without jitter, unless the delays are listed', () => {
    fc.assert(
      fc.property(policies, failures, (policy, count) => {
        fc.pre(typeof policy.backoff === 'string');
        const plain = { ...policy, jitter: 'none' } as const;
        expect(retryDelayMs(plain, count + 1, 0)).toBeGreaterThanOrEqual(retryDelayMs(plain, count, 0));
      }),
    );
  });

  it('stays inside the bounds of its jitter', () => {
    fc.assert(
      fc.property(policies, failures, random, (policy, count, chance) => {
        const delayMs = retryDelayMs(policy, count, chance);
        const plain = retryDelayMs({ ...policy, jitter: 'none' }, count, 0);
        const least = { none: plain, full: 0, equal: Math.floor(plain / 2) }[policy.jitter];
        expect(delayMs).toBeGreaterThanOrEqual(least);
        expect(delayMs).toBeLessThanOrEqual(plain);
      }),
    );
  });

  it('doubles, adds or stays, by backoff', () => {
    const delays = (backoff: RetryPolicy['backoff']) =>
      [1, 2, 3, 4].map((count) => retryDelayMs({ ...DEFAULT_RETRY, jitter: 'none', backoff }, count, 0));
    expect(delays('exponential')).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(delays('linear')).toEqual([1_000, 2_000, 3_000, 4_000]);
    expect(delays('fixed')).toEqual([1_000, 1_000, 1_000, 1_000]);
  });

  it('goes through listed delays and repeats the last one', () => {
    const policy: RetryPolicy = { ...DEFAULT_RETRY, jitter: 'none', backoff: [500, 20, 300] };
    expect([1, 2, 3, 4, 99].map((count) => retryDelayMs(policy, count, 0))).toEqual([500, 20, 300, 300, 300]);
  });

  it('spreads by jitter from its least to almost all of the delay', () => {
    const at = (jitter: RetryPolicy['jitter'], chance: number) =>
      retryDelayMs({ ...DEFAULT_RETRY, jitter }, 1, chance);
    expect([at('full', 0), at('full', 0.5), at('full', 0.9999)]).toEqual([0, 500, 999]);
    expect([at('equal', 0), at('equal', 0.5), at('equal', 0.9999)]).toEqual([500, 750, 999]);
    expect([at('none', 0), at('none', 0.9999)]).toEqual([1_000, 1_000]);
  });
});

describe('completeRetry', () => {
  it('is the default where nothing is given', () => {
    expect(completeRetry({})).toEqual(DEFAULT_RETRY);
  });

  it('makes any accepted part of a policy a policy that is accepted, and changes nothing given', () => {
    fc.assert(
      fc.property(
        policies,
        fc.subarray(['maxAttempts', 'backoff', 'delayMs', 'maxDelayMs', 'jitter'] as const),
        (policy, fields) => {
          const given = Object.fromEntries(
            fields.map((field) => [field, policy[field]]),
          ) as Partial<RetryPolicy>;
          const complete = completeRetry(given);
          checkRetry(complete);
          expect(complete).toMatchObject(given);
        },
      ),
    );
  });

  it('allows a list of delays one attempt more than it has delays, without jitter or cap', () => {
    expect(completeRetry({ backoff: [1, LIMITS.retryDelayMsMax] })).toMatchObject({
      maxAttempts: 3,
      jitter: 'none',
      maxDelayMs: LIMITS.retryDelayMsMax,
    });
  });

  it('never caps a delay that was given below itself', () => {
    expect(completeRetry({ delayMs: 900_000 }).maxDelayMs).toBe(900_000);
  });

  it('fills in from the defaults it is given', () => {
    const defaults: RetryPolicy = { ...DEFAULT_RETRY, maxAttempts: 7, jitter: 'full' };
    expect(completeRetry({ delayMs: 5 }, defaults)).toMatchObject({
      maxAttempts: 7,
      jitter: 'full',
      delayMs: 5,
    });
  });
});
