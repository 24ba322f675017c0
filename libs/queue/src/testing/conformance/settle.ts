import { LIMITS } from '../../core/limits.js';
import type { LeasedTask, Settlement } from '../../core/ports/consumer.js';
import { retryPolicy } from '../builders.js';
import { needs } from './needs.js';
import { keysOf, LEASE_MS, only, refusalOf, useSubject, WORKER, type Setup } from './subject.js';

export function describeSettle(setup: Setup): void {
  const subject = useSubject(setup);
  const error = { message: 'It broke.' };

  const startMany = async (...keys: string[]) => {
    for (const key of keys) {
      await subject.addOne({ key });
      subject.clock.advance(1);
    }
    return subject.take(keys.length);
  };
  const ends = ({ id, leaseToken }: LeasedTask) => ({
    complete: { id, leaseToken, action: 'complete', result: '1' },
    fail: { id, leaseToken, action: 'fail', error, retryInMs: 50 },
    release: { id, leaseToken, action: 'release' },
  }) satisfies Record<string, Settlement>; // prettier-ignore

  it('completes a task with its result', async () => {
    const leased = await subject.start();
    subject.clock.advance(20);
    expect(await subject.complete(leased, '{"ok":true}')).toEqual({ status: 'settled', state: 'completed' });
    const task = await subject.get(leased.id);
    expect(task).toMatchObject({
      state: 'completed',
      result: '{"ok":true}',
      startedAt: subject.now - 20,
      finishedAt: subject.now,
      attempt: 1,
      failures: 0,
    });
    expect(task.workerId).toBeUndefined();
    expect(task.leaseExpiresAt).toBeUndefined();
  });

  it('completes a task without a result', async () => {
    const leased = await subject.start();
    await subject.complete(leased);
    expect((await subject.get(leased.id)).result).toBeUndefined();
  });

  describe('release', () => {
    it('does not count the attempt', async () => {
      const leased = await subject.start();
      expect(await subject.release(leased)).toEqual({ status: 'settled', state: 'pending' });
      expect(await subject.get(leased.id)).toMatchObject({
        state: 'pending',
        attempt: 0,
        failures: 0,
        errors: [],
      });
      expect((await subject.takeOne()).attempt).toBe(1);
    });

    it('puts a task back at the head of its lane', async () => {
      const leased = await subject.start({ key: 'z' });
      await subject.add({ key: 'a' }, { key: 'b' });
      await subject.release(leased);
      expect(keysOf(await subject.take(3))).toEqual(['z', 'a', 'b']);
    });

    needs('return-order').it('keeps the order of tasks released in one call', async () => {
      const leased = await startMany('c', 'b', 'a');
      await subject.addOne({ key: 'late' });
      await subject.queue.settle(leased.map((task) => ends(task).release));
      expect(keysOf(await subject.take(4))).toEqual(['c', 'b', 'a', 'late']);
    });

    needs('ttl').it('does not let a task expire that had started', async () => {
      const leased = await subject.start({ ttlMs: 10 });
      await subject.release(leased);
      subject.clock.advance(10);
      expect(await subject.take(1)).toHaveLength(1);
    });
  });

  needs('repeatable-settlements').describe('repeated', () => {
    needs('combined-lists').it.each(['complete', 'release', 'fail'] as const)(
      '%s answers the same and changes nothing',
      async (action) => {
        const leased = await subject.start();
        const settlement = { ...ends(leased)[action], logs: ['last words'] };
        const first = await subject.settle(settlement);
        const before = await subject.everythingOf(leased.id);
        subject.clock.advance(5);
        expect(await subject.settle(settlement)).toEqual(first);
        expect(await subject.everythingOf(leased.id)).toEqual(before);
        expect(
          (await subject.queue.list({ queue: subject.name, order: 'oldest', limit: 9 })).items,
        ).toHaveLength(1);
      },
    );

    it('in one call settles once', async () => {
      const leased = await subject.start();
      const { release } = ends(leased);
      const { outcomes } = await subject.queue.settle([release, release]);
      expect(outcomes).toEqual([1, 2].map(() => ({ status: 'settled', state: 'pending' })));
      expect(await subject.take(5)).toHaveLength(1);
    });

    it('with another action still answers what the first one led to', async () => {
      const leased = await subject.start();
      await subject.complete(leased, '1');
      expect(await subject.fail(leased)).toEqual({ status: 'settled', state: 'completed' });
      expect(await subject.get(leased.id)).toMatchObject({ state: 'completed', result: '1', failures: 0 });
    });

    it('still answers while somebody else runs the task', async () => {
      const first = await subject.start();
      await subject.release(first);
      const second = await subject.takeOne({ workerId: 'worker-2' });
      const before = await subject.everythingOf(first.id);
      expect(await subject.release(first)).toEqual({ status: 'settled', state: 'pending' });
      expect(await subject.everythingOf(first.id)).toEqual(before);
      expect(await subject.complete(second)).toEqual({ status: 'settled', state: 'completed' });
    });

    it('still answers after a later lease of the task was lost', async () => {
      const first = await subject.start();
      await subject.release(first);
      await subject.takeOne({ workerId: 'worker-2' });
      await subject.loseLeases();
      expect(await subject.release(first)).toEqual({ status: 'settled', state: 'pending' });
    });

    it('still answers after an operator has retried or cancelled the task', async () => {
      const leased = await subject.start();
      await subject.fail(leased, { retryable: false });
      await subject.retry(leased.id);
      expect(await subject.fail(leased)).toEqual({ status: 'settled', state: 'failed' });
      await subject.cancel(leased.id);
      expect(await subject.fail(leased)).toEqual({ status: 'settled', state: 'failed' });
      expect(await subject.stateOf(leased.id)).toBe('cancelled');
    });
  });

  describe('with a token that is not the current one', () => {
    const others: [string, () => Promise<{ id: string; leaseToken: string }>][] = [
      ['made up', async () => ({ ...(await subject.start()), leaseToken: 'made-up' })],
      ['empty', async () => ({ ...(await subject.start()), leaseToken: '' })],
      [
        "another task's",
        async () => {
          const [mine, other] = await startMany('a', 'b');
          return { id: mine?.id ?? '', leaseToken: other?.leaseToken ?? '' };
        },
      ],
      [
        'of a lease that was reaped',
        async () => {
          const leased = await subject.start();
          await subject.loseLeases();
          return leased;
        },
      ],
      [
        'of a lease that was reaped, while another worker runs the task',
        async () => {
          const leased = await subject.start();
          await subject.loseLeases();
          await subject.takeOne({ workerId: 'worker-2' });
          return leased;
        },
      ],
      [
        'of a lease that was reaped, after another worker completed the task',
        async () => {
          const leased = await subject.start();
          await subject.loseLeases();
          await subject.complete(await subject.takeOne({ workerId: 'worker-2' }), '"theirs"');
          return leased;
        },
      ],
      [
        'of the settlement before the latest one',
        async () => {
          const leased = await subject.start();
          await subject.release(leased);
          await subject.complete(await subject.takeOne());
          return leased;
        },
      ],
      ['of a task that waits', async () => ({ ...(await subject.addOne()), leaseToken: '' })],
      [
        'of a task that waits for a time',
        async () => ({ ...(await subject.addOne({ delayMs: 5 })), leaseToken: 'x' }),
      ],
      [
        'of a task that crashed too often',
        async () => {
          const leased = await subject.start();
          await subject.loseLeases();
          for (let crashes = 1; crashes < LIMITS.crashesMax; crashes += 1) {
            await subject.takeOne();
            await subject.loseLeases();
          }
          return leased;
        },
      ],
    ];
    describe.each(others)('%s', (_, prepare) => {
      it('nothing is settled and nothing changes', async () => {
        const { id, leaseToken } = await prepare();
        const before = await subject.everythingOf(id);
        const attempts: Settlement[] = [
          { id, leaseToken, action: 'complete', result: '"mine"', logs: ['late'] },
          { id, leaseToken, action: 'fail', error, logs: ['late'] },
          { id, leaseToken, action: 'release', logs: ['late'] },
        ];
        for (const attempt of attempts) expect(refusalOf(await subject.settle(attempt))).toBe('lease-lost');
        const extended = await subject.queue.extend(
          [{ id, leaseToken, progress: '1', logs: ['late'] }],
          LEASE_MS,
        );
        expect(refusalOf(extended[0])).toBe('lease-lost');
        expect(await subject.everythingOf(id)).toEqual(before);
      });
    });
  });

  it('accepts a settlement after the deadline, until the reaper has taken the lease', async () => {
    const leased = await subject.start();
    subject.clock.advance(LEASE_MS * 3);
    expect(await subject.complete(leased)).toEqual({ status: 'settled', state: 'completed' });
  });

  it('refuses what names no task', async () => {
    const outcome = await subject.settle({
      id: `${subject.name}~nobody`,
      leaseToken: 't',
      action: 'release',
    });
    expect(refusalOf(outcome)).toBe('task-not-found');
    const extended = await subject.queue.extend(
      [{ id: `${subject.name}~nobody`, leaseToken: 't' }],
      LEASE_MS,
    );
    expect(refusalOf(extended[0])).toBe('task-not-found');
  });

  it('settles each of several tasks alike on its own', async () => {
    const leased = await startMany('a', 'b', 'c', 'd');
    const [a, b, c, d] = leased.map(({ id, leaseToken }) => ({
      id,
      leaseToken,
      action: 'complete' as const,
    }));
    const { outcomes } = await subject.queue.settle([a!, { ...b!, leaseToken: 'wrong' }, c!, c!, d!]);
    expect(outcomes.map((outcome) => refusalOf(outcome) ?? 'settled')).toEqual([
      'settled',
      'lease-lost',
      'settled',
      'settled',
      'settled',
    ]);
    expect(await Promise.all(leased.map(({ id }) => subject.stateOf(id)))).toEqual([
      'completed',
      'running',
      'completed',
      'completed',
    ]);
    expect((await subject.queue.settle([b!])).outcomes.map(refusalOf)).toEqual([undefined]);
  });

  it('answers a mixed batch in order, each on its own', async () => {
    const [a, b, c] = await startMany('a', 'b', 'c');
    if (!a || !b || !c) throw new Error('expected three');
    const { outcomes } = await subject.queue.settle([
      ends(c).release,
      { ...ends(a).complete, leaseToken: 'wrong' },
      ends(b).fail,
      { ...ends(a).complete, id: `${subject.name}~nobody` },
      ends(a).complete,
    ]);
    expect(outcomes.map((outcome) => refusalOf(outcome) ?? (outcome as { state: string }).state)).toEqual([
      'pending',
      'lease-lost',
      'retrying',
      'task-not-found',
      'completed',
    ]);
  });

  it('settles tasks of several queues in one call', async () => {
    const other = `${subject.name}.other`;
    await subject.add({ queue: other }, {});
    const leased = [await subject.takeOne({ queue: other }), await subject.takeOne()];
    const { outcomes } = await subject.queue.settle(leased.map((task) => ends(task).complete));
    expect(outcomes).toEqual([1, 2].map(() => ({ status: 'settled', state: 'completed' })));
  });

  it('settles nothing where there is nothing to settle', async () => {
    expect(await subject.queue.settle([])).toEqual({ outcomes: [] });
  });

  describe('with a next lease', () => {
    const next = () => ({ queue: subject.name, workerId: WORKER, max: 5, leaseMs: LEASE_MS });

    it('takes the next tasks in the same call', async () => {
      const leased = await subject.start();
      await subject.add({ key: 'a' }, { key: 'b' });
      const { outcomes, lease } = await subject.queue.settle([ends(leased).complete], { ...next(), max: 1 });
      expect(outcomes).toEqual([{ status: 'settled', state: 'completed' }]);
      expect(lease).toMatchObject({ tasks: [{ id: `${subject.name}~a`, attempt: 1 }], more: true });
    });

    it('can take again what it just gave back', async () => {
      const leased = await subject.start();
      const { lease } = await subject.queue.settle([ends(leased).release], next());
      const again = only(lease?.tasks ?? []);
      expect(again.id).toBe(leased.id);
      expect(await subject.get(leased.id)).toMatchObject({ state: 'running', attempt: 1 });
      expect(await subject.complete(again)).toEqual({ status: 'settled', state: 'completed' });
    });

    it('can take from another queue', async () => {
      const leased = await subject.start();
      const other = `${subject.name}.other`;
      await subject.addOne({ queue: other });
      const { outcomes, lease } = await subject.queue.settle([ends(leased).complete], {
        ...next(),
        queue: other,
      });
      expect(outcomes).toEqual([{ status: 'settled', state: 'completed' }]);
      expect(only(lease?.tasks ?? []).queue).toBe(other);
    });

    it('takes tasks where there is nothing to settle', async () => {
      await subject.addOne();
      const { outcomes, lease } = await subject.queue.settle([], next());
      expect(outcomes).toEqual([]);
      expect(lease?.tasks).toHaveLength(1);
    });

    it('takes them even where the settlement is refused', async () => {
      const leased = await subject.start();
      await subject.addOne();
      const { outcomes, lease } = await subject.queue.settle(
        [{ ...ends(leased).complete, leaseToken: 'wrong' }],
        next(),
      );
      expect(refusalOf(outcomes[0])).toBe('lease-lost');
      expect(lease?.tasks).toHaveLength(1);
    });
  });

  describe('limits', () => {
    it('refuses a result that is too long before anything happens', async () => {
      const [a, b] = await startMany('a', 'b');
      if (!a || !b) throw new Error('expected two');
      const result = JSON.stringify('x'.repeat(LIMITS.resultBytesMax));
      await expect(
        subject.queue.settle([ends(a).complete, { ...ends(b).complete, result }]),
      ).rejects.toMatchObject({ code: 'invalid-request', data: { pointer: '/result' } });
      expect(await subject.stateOf(a.id)).toBe('running');
      expect(await subject.stateOf(b.id)).toBe('running');
    });

    needs('error-history').it('cuts an error to what is kept', async () => {
      const leased = await subject.start();
      await subject.fail(leased, {
        error: { message: 'm'.repeat(10_000), code: 'c'.repeat(100), details: { ok: 1 } },
      });
      expect((await subject.get(leased.id)).errors[0]).toMatchObject({
        message: 'm'.repeat(LIMITS.errorMessageCharsMax),
        code: 'c'.repeat(LIMITS.errorCodeCharsMax),
        details: { ok: 1 },
      });
    });

    needs('error-history').it('drops details that are too long, and says so', async () => {
      const leased = await subject.start();
      const details = { stack: 'x'.repeat(LIMITS.errorBytesMax) };
      await subject.fail(leased, { error: { message: 'm', code: 'c', details } });
      expect((await subject.get(leased.id)).errors[0]).toMatchObject({
        message: 'm',
        code: 'c',
        details: '(dropped: too long)',
      });
    });

    needs('error-history').it('keeps the latest errors', async () => {
      const kept = LIMITS.errorsKept;
      await subject.addOne({ retry: retryPolicy({ maxAttempts: kept + 10 }) });
      for (let i = 1; i <= kept + 2; i += 1) {
        await subject.fail(await subject.takeOne(), { error: { message: `${i}` }, retryInMs: 0 });
      }
      const { errors } = await subject.takeOne();
      expect(errors.map(({ message }) => message)).toEqual(
        Array.from({ length: kept }, (_, i) => `${i + 3}`),
      );
    });

    needs('error-history').it('keeps an error as it was given', async () => {
      const given = {
        message: 'a\u001e\u001f\n~ 漢 "',
        code: 'x y',
        details: [{}, [], null, { a: '\u001e' }],
      };
      const leased = await subject.start();
      await subject.fail(leased, { error: given, retryInMs: 0 });
      expect(only((await subject.get(leased.id)).errors)).toEqual({
        attempt: 1,
        at: subject.now,
        workerId: WORKER,
        ...given,
      });
      expect(only((await subject.takeOne()).errors)).toMatchObject(given);
    });

    it.each([-1, 1.5, NaN, LIMITS.retryDelayMsMax + 1])('refuses a retry in %d ms', async (retryInMs) => {
      const leased = await subject.start();
      await expect(subject.fail(leased, { retryInMs })).rejects.toMatchObject({ kind: 'invalid' });
      expect(await subject.stateOf(leased.id)).toBe('running');
    });
  });
}
