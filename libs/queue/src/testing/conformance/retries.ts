import { LIMITS } from '../../core/limits.js';
import { DEFAULT_RETRY, retryDelayMs } from '../../core/retry.js';
import type { RetryPolicy } from '../../core/task.js';
import { retryPolicy } from '../builders.js';
import { needs } from './needs.js';
import { keysOf, useSubject, type Setup } from './subject.js';

export function describeRetries(setup: Setup): void {
  const subject = useSubject(setup);

  it('counts a failure and waits for the next attempt', async () => {
    const leased = await subject.start({ retry: retryPolicy({ delayMs: 700 }) });
    expect(await subject.fail(leased)).toEqual({ status: 'settled', state: 'retrying' });
    expect(await subject.get(leased.id)).toMatchObject({
      state: 'retrying',
      failures: 1,
      crashes: 0,
      attempt: 1,
      dueAt: subject.now + 700,
      errors: [{ attempt: 1, message: 'It broke.' }],
    });
    subject.clock.advance(699);
    expect(await subject.lease(1)).toEqual({ tasks: [], more: false, nextDueInMs: 1 });
    subject.clock.advance(1);
    expect(await subject.takeOne()).toMatchObject({ id: leased.id, attempt: 2, failures: 1 });
  });

  it('puts a task that is due again at the tail of its lane', async () => {
    const leased = await subject.start({ key: 'again', retry: retryPolicy({ delayMs: 10 }) });
    await subject.addOne({ key: 'waiting' });
    await subject.fail(leased);
    subject.clock.advance(10);
    expect(keysOf(await subject.take(2))).toEqual(['waiting', 'again']);
  });

  it('puts a task without delay at the tail of its lane at once', async () => {
    const leased = await subject.start({ key: 'again', retry: retryPolicy({ delayMs: 0 }) });
    await subject.addOne({ key: 'waiting' });
    expect(await subject.fail(leased)).toEqual({ status: 'settled', state: 'pending' });
    expect((await subject.get(leased.id)).dueAt).toBeUndefined();
    expect(keysOf(await subject.take(2))).toEqual(['waiting', 'again']);
  });

  it('goes to the dead-letter queue once its attempts are exhausted', async () => {
    await subject.addOne({ retry: retryPolicy({ maxAttempts: 2, delayMs: 0 }) });
    expect(await subject.fail(await subject.takeOne())).toEqual({ status: 'settled', state: 'pending' });
    const last = await subject.takeOne();
    expect(await subject.fail(last)).toEqual({ status: 'settled', state: 'failed' });
    expect(await subject.get(last.id)).toMatchObject({
      state: 'failed',
      failureReason: 'attempts-exhausted',
      failures: 2,
      attempt: 2,
      finishedAt: subject.now,
    });
    expect((await subject.get(last.id)).errors).toHaveLength(2);
  });

  it('goes there at once where it says that a retry cannot help', async () => {
    const leased = await subject.start({ retry: retryPolicy() });
    expect(await subject.fail(leased, { retryable: false })).toEqual({ status: 'settled', state: 'failed' });
    expect(await subject.get(leased.id)).toMatchObject({ failureReason: 'not-retryable', failures: 1 });
  });

  it('names what was not retryable even on the last attempt', async () => {
    const leased = await subject.start({ retry: retryPolicy({ maxAttempts: 1 }) });
    await subject.fail(leased, { retryable: false });
    expect((await subject.get(leased.id)).failureReason).toBe('not-retryable');
  });

  it('is tried once where the policy allows one attempt', async () => {
    const leased = await subject.start({ retry: retryPolicy({ maxAttempts: 1 }) });
    expect(await subject.fail(leased, { retryInMs: 5 })).toEqual({ status: 'settled', state: 'failed' });
  });

  it('waits as the failure says instead of the policy', async () => {
    const leased = await subject.start({ retry: retryPolicy() });
    await subject.fail(leased, { retryInMs: 123_456 });
    expect((await subject.get(leased.id)).dueAt).toBe(subject.now + 123_456);
  });

  describe('policy', () => {
    it("is the task's own before the worker's default", async () => {
      const leased = await subject.start({ retry: retryPolicy({ delayMs: 11 }) });
      await subject.fail(leased, { defaultRetry: retryPolicy({ delayMs: 22, maxAttempts: 1 }) });
      expect((await subject.get(leased.id)).dueAt).toBe(subject.now + 11);
    });

    it("is the worker's default where the task has none", async () => {
      const leased = await subject.start();
      await subject.fail(leased, { defaultRetry: retryPolicy({ delayMs: 22 }) });
      expect((await subject.get(leased.id)).dueAt).toBe(subject.now + 22);
    });

    it("is the engine's where neither has one", async () => {
      const leased = await subject.start();
      await subject.fail(leased);
      expect((await subject.get(leased.id)).dueAt).toBe(subject.now + retryDelayMs(DEFAULT_RETRY, 1, 0.5));
    });

    it('decides with the failures there were, whichever policy counted them', async () => {
      await subject.addOne();
      const never = retryPolicy({ delayMs: 0 });
      await subject.fail(await subject.takeOne(), { defaultRetry: never });
      const second = await subject.takeOne();
      const twice = { ...never, maxAttempts: 2 };
      expect(await subject.fail(second, { defaultRetry: twice })).toMatchObject({ state: 'failed' });
    });
  });

  const backoffs: RetryPolicy['backoff'][] = ['linear', 'exponential', [100, 7, 5_000, 333]];
  const jitters: RetryPolicy['jitter'][] = ['none', 'equal', 'full'];
  const cases = backoffs.flatMap((backoff) => jitters.map((jitter) => ({ backoff, jitter })));
  const followsFormula = async (policy: RetryPolicy) => {
    const [task] = await subject.add({ retry: policy });
    for (let failures = 1; failures < policy.maxAttempts; failures += 1) {
      await subject.fail(await subject.takeOne());
      const wait = retryDelayMs(policy, failures, 0.5);
      expect((await subject.get(task?.id ?? '')).dueAt).toBe(subject.now + wait);
      subject.clock.advance(wait);
    }
    expect(await subject.fail(await subject.takeOne())).toMatchObject({ state: 'failed' });
  };
  needs('retry-delays').it.each(cases)(
    'waits by the formula for backoff $backoff with jitter $jitter',
    (given) => followsFormula(retryPolicy({ ...given, delayMs: 333, maxDelayMs: 2_001 })),
  );
  it.each(jitters)('waits by the formula for a fixed delay with jitter %s', (jitter) =>
    followsFormula(retryPolicy({ backoff: 'fixed', jitter, delayMs: 333, maxDelayMs: 2_001 })),
  );
  it.each(jitters)('waits by the formula for a delay that doubles with jitter %s', (jitter) =>
    followsFormula(retryPolicy({ backoff: 'exponential', jitter, delayMs: 7, maxDelayMs: 60_000 })),
  );

  needs('retry-delays').it('never waits longer than the policy allows, however often it failed', async () => {
    const maxDelayMs = LIMITS.retryDelayMsMax;
    const policy = retryPolicy({ backoff: 'exponential', delayMs: 1, maxDelayMs, maxAttempts: 100 });
    await subject.addOne({ retry: policy });
    for (let failures = 1; failures <= 60; failures += 1) {
      const leased = await subject.takeOne();
      await subject.fail(leased);
      const { dueAt } = await subject.get(leased.id);
      expect(dueAt).toBe(subject.now + Math.min(2 ** (failures - 1), maxDelayMs));
      subject.clock.advance(maxDelayMs);
    }
  });

  needs('crash-counts').it('keeps failures and crashes apart', async () => {
    await subject.addOne({ retry: retryPolicy({ maxAttempts: 2, delayMs: 0 }) });
    await subject.takeOne();
    await subject.loseLeases();
    await subject.takeOne();
    await subject.loseLeases();
    expect(await subject.fail(await subject.takeOne())).toMatchObject({ state: 'pending' });
    const last = await subject.takeOne();
    expect(last).toMatchObject({ attempt: 4, failures: 1, crashes: 2 });
    expect(await subject.fail(last)).toMatchObject({ state: 'failed' });
    expect(await subject.get(last.id)).toMatchObject({
      failureReason: 'attempts-exhausted',
      failures: 2,
      crashes: 2,
      attempt: 4,
    });
  });
}
