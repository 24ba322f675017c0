import { needs } from './needs.js';
import { keysOf, LEASE_MS, refusalOf, useSubject, type Setup } from './subject.js';

export function describeOperate(setup: Setup): void {
  const subject = useSubject(setup);

  describe('cancel', () => {
    it.each([
      ['pending', {}],
      ['scheduled', { delayMs: 100 }],
    ])('ends a %s task at once', async (state, given) => {
      const { id } = await subject.addOne(given);
      expect(await subject.stateOf(id)).toBe(state);
      subject.clock.advance(5);
      const outcome = await subject.cancel(id);
      const task = await subject.get(id);
      expect(outcome).toEqual({ status: 'done', task });
      expect(task).toMatchObject({ state: 'cancelled', finishedAt: subject.now, cancelRequested: false });
      subject.clock.advance(1_000);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    });

    it('ends a retrying task at once', async () => {
      const leased = await subject.start();
      await subject.fail(leased, { retryInMs: 100 });
      expect(await subject.cancel(leased.id)).toMatchObject({
        status: 'done',
        task: { state: 'cancelled', failures: 1 },
      });
      subject.clock.advance(1_000);
      expect(await subject.lease(9)).toEqual({ tasks: [], more: false });
    });

    needs('cancel-running').it('asks a running task to stop', async () => {
      const leased = await subject.start();
      const outcome = await subject.cancel(leased.id);
      const task = await subject.get(leased.id);
      expect(outcome).toEqual({ status: 'done', task });
      expect(task).toMatchObject({ state: 'running', cancelRequested: true });
    });

    needs('cancel-running').it('is answered by the worker with a failure', async () => {
      const leased = await subject.start();
      await subject.cancel(leased.id);
      expect(await subject.fail(leased)).toEqual({ status: 'settled', state: 'cancelled' });
      expect(await subject.get(leased.id)).toMatchObject({
        state: 'cancelled',
        finishedAt: subject.now,
        cancelRequested: false,
        failures: 1,
        errors: [{ message: 'It broke.' }],
      });
    });

    needs('cancel-running').it(
      'is answered by the worker with a failure that would not be retried',
      async () => {
        const leased = await subject.start();
        await subject.cancel(leased.id);
        expect(await subject.fail(leased, { retryable: false })).toEqual({
          status: 'settled',
          state: 'cancelled',
        });
      },
    );

    needs('cancel-running', 'repeatable-settlements').it(
      'is answered by the worker with a release',
      async () => {
        const leased = await subject.start();
        await subject.cancel(leased.id);
        expect(await subject.release(leased)).toEqual({ status: 'settled', state: 'cancelled' });
        expect(await subject.release(leased)).toEqual({ status: 'settled', state: 'cancelled' });
        expect(await subject.get(leased.id)).toMatchObject({
          state: 'cancelled',
          attempt: 0,
          cancelRequested: false,
        });
        expect(await subject.take(9)).toEqual([]);
      },
    );

    needs('cancel-running').it('loses against a worker that completes the task', async () => {
      const leased = await subject.start();
      await subject.cancel(leased.id);
      expect(await subject.complete(leased, '1')).toEqual({ status: 'settled', state: 'completed' });
      expect(await subject.get(leased.id)).toMatchObject({
        state: 'completed',
        result: '1',
        cancelRequested: false,
      });
    });

    needs('cancel-running').it('may be repeated', async () => {
      const { id } = await subject.addOne();
      const first = await subject.cancel(id);
      subject.clock.advance(5);
      expect(await subject.cancel(id)).toEqual(first);
      const leased = await subject.start();
      const asked = await subject.cancel(leased.id);
      expect(await subject.cancel(leased.id)).toEqual(asked);
    });

    needs('cancel-running').it('lets the task go on where the lease is extended', async () => {
      const leased = await subject.start();
      await subject.cancel(leased.id);
      await subject.queue.extend([leased], LEASE_MS);
      expect(await subject.get(leased.id)).toMatchObject({ state: 'running', cancelRequested: true });
    });

    it('leaves the others of a lane in order', async () => {
      await subject.add({ key: 'a' }, { key: 'b' }, { key: 'c' }, { key: 'd' });
      await subject.queue.cancel(['a', 'c'].map((key) => `${subject.name}~${key}`));
      expect(keysOf(await subject.take(9))).toEqual(['b', 'd']);
    });

    it('answers each id in order, also one given twice and one that is not there', async () => {
      const [a, b] = await subject.add({}, {});
      const ids = [b?.id ?? '', `${subject.name}~nobody`, a?.id ?? '', b?.id ?? ''];
      const outcomes = await subject.queue.cancel(ids);
      expect(outcomes.map((outcome) => refusalOf(outcome) ?? outcome.status)).toEqual([
        'done',
        'task-not-found',
        'done',
        'done',
      ]);
      expect(await subject.queue.cancel([])).toEqual([]);
    });

    it('reaches several queues in one call', async () => {
      const [here, there] = await subject.add({}, { queue: `${subject.name}.other` });
      const outcomes = await subject.queue.cancel([there?.id ?? '', here?.id ?? '']);
      expect(outcomes).toMatchObject([{ task: { id: there?.id } }, { task: { id: here?.id } }]);
    });
  });

  describe('retry', () => {
    it('makes a failed task pending again, with all its attempts', async () => {
      const leased = await subject.start({ retry: { ...policyOfOne } });
      await subject.fail(leased);
      subject.clock.advance(5);
      const outcome = await subject.retry(leased.id);
      const task = await subject.get(leased.id);
      expect(outcome).toEqual({ status: 'done', task });
      expect(task).toMatchObject({ state: 'pending', failures: 0, crashes: 0 });
      expect(task.failureReason).toBeUndefined();
      expect(task.finishedAt).toBeUndefined();
      expect(await subject.takeOne()).toMatchObject({ id: leased.id, failures: 0 });
    });

    needs('attempt-history').it('keeps the count of attempts and the errors', async () => {
      const leased = await subject.start({ retry: { ...policyOfOne } });
      await subject.fail(leased);
      await subject.retry(leased.id);
      expect(await subject.get(leased.id)).toMatchObject({
        attempt: 1,
        errors: [{ attempt: 1, message: 'It broke.' }],
      });
      expect(await subject.takeOne()).toMatchObject({ attempt: 2, errors: [{}] });
    });

    it('makes a cancelled task pending at once, whatever it waited for', async () => {
      const { id } = await subject.addOne({ delayMs: 100_000 });
      await subject.cancel(id);
      expect(await subject.retry(id)).toMatchObject({
        status: 'done',
        task: { state: 'pending', cancelRequested: false },
      });
      expect((await subject.takeOne()).id).toBe(id);
    });

    needs('cancel-running').it('forgets that a task was asked to stop', async () => {
      const leased = await subject.start();
      await subject.cancel(leased.id);
      await subject.fail(leased);
      await subject.retry(leased.id);
      const again = await subject.takeOne();
      expect(await subject.queue.extend([again], LEASE_MS)).toMatchObject([{ cancelRequested: false }]);
      expect(await subject.release(again)).toMatchObject({ state: 'pending' });
    });

    needs('ttl').it('makes an expired task pending, never to expire again', async () => {
      const { id } = await subject.addOne({ ttlMs: 10 });
      subject.clock.advance(10);
      await subject.queue.promote(subject.name);
      expect(await subject.stateOf(id)).toBe('expired');
      await subject.retry(id);
      expect((await subject.get(id)).expiresAt).toBeUndefined();
      subject.clock.advance(1_000);
      await subject.queue.promote(subject.name);
      expect((await subject.takeOne()).id).toBe(id);
    });

    needs('ttl').it('makes a cancelled task never expire again', async () => {
      const { id } = await subject.addOne({ ttlMs: 10 });
      await subject.cancel(id);
      await subject.retry(id);
      subject.clock.advance(1_000);
      await subject.queue.promote(subject.name);
      expect((await subject.takeOne()).id).toBe(id);
    });

    needs('crash-counts').it('gives a crashed task all its crashes back', async () => {
      const { id } = await subject.addOne();
      for (let i = 0; i < 3; i += 1) {
        await subject.takeOne();
        await subject.loseLeases();
      }
      expect(await subject.stateOf(id)).toBe('failed');
      await subject.retry(id);
      await subject.takeOne();
      await subject.loseLeases();
      expect(await subject.get(id)).toMatchObject({ state: 'pending', crashes: 1, attempt: 4 });
    });

    it('puts the task at the tail of its lane', async () => {
      await subject.add({ key: 'x' }, { key: 'again' }, { key: 'y' });
      await subject.cancel(`${subject.name}~again`);
      await subject.retry(`${subject.name}~again`);
      expect(keysOf(await subject.take(9))).toEqual(['x', 'y', 'again']);
    });

    it('leaves one task however often it is cancelled and retried', async () => {
      await subject.add({ key: 'x' }, { key: 'again' }, { key: 'y' });
      const id = `${subject.name}~again`;
      for (let i = 0; i < 5; i += 1) {
        await subject.cancel(id);
        if (i % 2) subject.clock.advance(1);
        await subject.retry(id);
      }
      const tasks = await subject.take(9);
      expect(keysOf(tasks)).toEqual(['x', 'y', 'again']);
      for (const task of tasks) await subject.release(task);
      expect(await subject.take(9)).toHaveLength(3);
    });

    it.each([
      ['pending', async () => (await subject.addOne()).id],
      ['scheduled', async () => (await subject.addOne({ delayMs: 5 })).id],
      ['running', async () => (await subject.start()).id],
      [
        'retrying',
        async () => {
          const leased = await subject.start();
          await subject.fail(leased, { retryInMs: 5 });
          return leased.id;
        },
      ],
      [
        'completed',
        async () => {
          const leased = await subject.start();
          await subject.complete(leased);
          return leased.id;
        },
      ],
    ])('is refused for a %s task, and changes nothing', async (state, prepare) => {
      const id = await prepare();
      const before = await subject.everythingOf(id);
      expect(await subject.retry(id)).toMatchObject({
        status: 'refused',
        error: { code: 'wrong-state', data: { state }, message: expect.stringContaining(state) },
      });
      expect(await subject.everythingOf(id)).toEqual(before);
    });

    it('answers each id in order, also one given twice and one that is not there', async () => {
      const { id } = await subject.addOne();
      await subject.cancel(id);
      const outcomes = await subject.queue.retry([`${subject.name}~nobody`, id, id]);
      expect(outcomes.map((outcome) => refusalOf(outcome) ?? outcome.status)).toEqual([
        'task-not-found',
        'done',
        'wrong-state',
      ]);
    });
  });

  needs('ttl').it.each(['completed', 'failed', 'expired'])(
    'cancel is refused for a %s task, and changes nothing',
    async (state) => {
      const { id } = await subject.addOne({ ttlMs: 100 });
      if (state === 'expired') {
        subject.clock.advance(100);
        await subject.queue.promote(subject.name);
      } else {
        const leased = await subject.takeOne();
        if (state === 'completed') await subject.complete(leased);
        else await subject.fail(leased, { retryable: false });
      }
      const before = await subject.everythingOf(id);
      expect(await subject.cancel(id)).toMatchObject({
        status: 'refused',
        error: { code: 'wrong-state', data: { state } },
      });
      expect(await subject.everythingOf(id)).toEqual(before);
    },
  );
}

const policyOfOne = { maxAttempts: 1, backoff: 'fixed', delayMs: 0, maxDelayMs: 0, jitter: 'none' } as const;
