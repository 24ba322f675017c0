import { LIMITS } from './limits.js';
import type { RetryPolicy } from './task.js';

/** Three tries over a few seconds: enough for a deploy or a dropped connection to pass. */
export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 3,
  backoff: 'exponential',
  delayMs: 1_000,
  maxDelayMs: 300_000,
  jitter: 'equal',
};

/** Fills what is missing. A list of delays allows one attempt more than it has delays, unless said otherwise. */
export function completeRetry(
  given: Partial<RetryPolicy>,
  defaults: RetryPolicy = DEFAULT_RETRY,
): RetryPolicy {
  const backoff = given.backoff ?? defaults.backoff;
  const maxAttempts =
    given.maxAttempts ?? (Array.isArray(given.backoff) ? given.backoff.length + 1 : defaults.maxAttempts);
  const delayMs = given.delayMs ?? defaults.delayMs;
  return {
    maxAttempts,
    backoff,
    delayMs,
    maxDelayMs:
      given.maxDelayMs ??
      Math.max(defaults.maxDelayMs, Array.isArray(backoff) ? LIMITS.retryDelayMsMax : delayMs),
    jitter: given.jitter ?? (Array.isArray(given.backoff) ? 'none' : defaults.jitter),
  };
}

/**
 * The wait in whole ms after the `failures`-th failure, counted from 1. `random` is in [0, 1).
 *
 * The jitter kinds are those of Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
 * The Redis adapter computes the same inside its script; the conformance suite holds the two together.
 */
export function retryDelayMs(policy: RetryPolicy, failures: number, random: number): number {
  const delayMs = Math.min(policy.maxDelayMs, plainDelayMs(policy, failures));
  switch (policy.jitter) {
    case 'none':
      return Math.floor(delayMs);
    case 'full':
      return Math.floor(delayMs * random);
    case 'equal':
      return Math.floor(delayMs / 2 + (delayMs / 2) * random);
  }
}

function plainDelayMs(policy: RetryPolicy, failures: number): number {
  if (typeof policy.backoff !== 'string') {
    return policy.backoff[Math.min(failures, policy.backoff.length) - 1] ?? 0;
  }
  switch (policy.backoff) {
    case 'fixed':
      return policy.delayMs;
    case 'linear':
      return policy.delayMs * failures;
    case 'exponential':
      // Beyond 2^52 the product would leave the integers; no cap is anywhere near.
      return policy.delayMs * 2 ** Math.min(failures - 1, 52);
  }
}
