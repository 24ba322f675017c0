import { LIMITS, RETENTION } from '../../core/limits.js';
import type { EnqueueOutcome, NewTask } from '../../core/ports/producer.js';
import type { Task } from '../../core/task.js';
import { newTask, retryPolicy, uniqueQueue } from '../builders.js';
import { listAll } from '../invariants.js';
import { needs } from './needs.js';
import { keyOf, keysOf, only, refusalOf, useSubject, type Setup } from './subject.js';

export function describeEnqueue(setup: Setup): void {
  const subject = useSubject(setup);

  const submit = (...tasks: Partial<NewTask>[]) =>
    subject.queue.enqueue(tasks.map((task) => newTask({ queue: subject.name, ...task })));
  const submitAtomically = (...tasks: Partial<NewTask>[]) =>
    subject.queue.enqueue(
      tasks.map((task) => newTask({ queue: subject.name, ...task })),
      { atomic: true },
    );
  const statuses = (outcomes: EnqueueOutcome[]) =>
    outcomes.map((outcome) => (outcome.status === 'refused' ? outcome.error.code : outcome.status));
  const taskOf = (outcome: EnqueueOutcome): Task => {
    if (outcome.status === 'refused') throw outcome.error;
    return outcome.task;
  };
  const count = async () => Object.values((await subject.overview()).states).reduce((a, b) => a + b, 0);
  const stored = () => listAll(subject.queue, { queue: subject.name });

  it('accepts a task as pending, with defaults for what was left out', async () => {
    const task = taskOf(only(await subject.queue.enqueue([{ type: 'a.b', queue: subject.name }])));
    expect(task).toMatchObject({
      queue: subject.name,
      type: 'a.b',
      tenant: 'default',
      priority: 3,
      tags: [],
      metadata: {},
      state: 'pending',
      createdAt: subject.now,
      attempt: 0,
      failures: 0,
      crashes: 0,
      errors: [],
      cancelRequested: false,
    });
    for (const absent of [
      'payload',
      'retry',
      'timeoutMs',
      'dueAt',
      'expiresAt',
      'startedAt',
      'result',
    ] as const) {
      expect(task[absent]).toBeUndefined();
    }
    expect(await subject.get(task.id)).toEqual(task);
  });

  needs('tenants', 'ordering-keys', 'ttl', 'timeouts', 'retry-delays', 'metadata').it(
    'keeps everything that was submitted',
    async () => {
      const given = {
        type: 'mail.send',
        key: 'order-7',
        payload: '{"to":"a@example.com"}',
        tenant: 'user:1',
        priority: 5,
        delayMs: 1_000,
        ttlMs: 500,
        timeoutMs: 2_000,
        retry: retryPolicy({ backoff: [1, 2, 3], jitter: 'full' }),
        tags: ['x', 'y'],
        metadata: { a: '1', b: '' },
        orderingKey: 'order:7',
      } as const;
      const task = await subject.addOne(given);
      const { key, delayMs, ttlMs, ...kept } = given;
      expect(task).toMatchObject({
        ...kept,
        id: `${subject.name}~${key}`,
        state: 'scheduled',
        dueAt: subject.now + delayMs,
        expiresAt: subject.now + delayMs + ttlMs,
      });
      expect(await subject.get(task.id)).toEqual(task);
    },
  );

  it('makes a different id for each task that has no key', async () => {
    const ids = (await subject.add({}, {}, {})).map((task) => task.id);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id.startsWith(`${subject.name}~`)).toBe(true);
  });

  it('answers each task in order', async () => {
    const outcomes = await submit({ key: 'a' }, { key: 'b' }, { key: 'c' });
    expect(outcomes.map((outcome) => keyOf(taskOf(outcome)))).toEqual(['a', 'b', 'c']);
  });

  it('takes an empty batch', async () => {
    expect(await subject.queue.enqueue([])).toEqual([]);
    expect(await subject.queue.enqueue([], { atomic: true })).toEqual([]);
  });

  it('takes the largest batch, and stores nothing of a larger one', async () => {
    expect(await submit(...Array.from({ length: LIMITS.batchTasksMax }, () => ({})))).toHaveLength(
      LIMITS.batchTasksMax,
    );
    await expect(
      submit(...Array.from({ length: LIMITS.batchTasksMax + 1 }, () => ({}))),
    ).rejects.toMatchObject({
      code: 'invalid-request',
    });
    expect(await count()).toBe(LIMITS.batchTasksMax);
  });

  it('stores nothing where one task of the call is not valid', async () => {
    await expect(submit({ key: 'a' }, { key: 'b', priority: 9 as never })).rejects.toMatchObject({
      code: 'invalid-task',
      kind: 'invalid',
      data: { pointer: '/priority' },
    });
    expect(await subject.find(`${subject.name}~a`)).toBeUndefined();
    expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
  });

  describe('times', () => {
    it('schedules for a delay and for a moment', async () => {
      const [delayed, dated] = await subject.add({ delayMs: 5 }, { runAtMs: subject.now + 7 });
      expect(delayed).toMatchObject({ state: 'scheduled', dueAt: subject.now + 5 });
      expect(dated).toMatchObject({ state: 'scheduled', dueAt: subject.now + 7 });
    });

    it('starts at once where the delay is none or the moment is not in the future', async () => {
      const tasks = await subject.add({ delayMs: 0 }, { runAtMs: subject.now }, { runAtMs: subject.now - 5 });
      for (const task of tasks) {
        expect(task.state).toBe('pending');
        expect(task.dueAt).toBeUndefined();
      }
    });

    needs('ttl').it(
      'counts the time to live from the due time, or from acceptance where that is not in the future',
      async () => {
        const [now, later, past] = await subject.add(
          { ttlMs: 10 },
          { ttlMs: 10, delayMs: 100 },
          { ttlMs: 10, runAtMs: subject.now - 500 },
        );
        expect(now?.expiresAt).toBe(subject.now + 10);
        expect(later?.expiresAt).toBe(subject.now + 110);
        expect(past?.expiresAt).toBe(subject.now + 10);
      },
    );

    needs('ttl').it('keeps times far away exact', async () => {
      const runAtMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
      const task = await subject.addOne({ runAtMs, ttlMs: 1 });
      expect(await subject.get(task.id)).toMatchObject({ dueAt: runAtMs, expiresAt: runAtMs + 1 });
    });
  });

  describe('identity', () => {
    needs('metadata').it(
      'replays a submission whose key and content are known, as it was accepted then',
      async () => {
        const first = await subject.addOne({ key: 'k', tags: ['t'], metadata: { m: '1' } });
        subject.clock.advance(50);
        const leased = await subject.takeOne();
        await subject.fail(leased);
        const again = only(await submit({ key: 'k', tags: ['t'], metadata: { m: '1' } }));
        expect(again).toEqual({ status: 'replayed', task: first });
        expect(await count()).toBe(1);
      },
    );

    needs('ttl').it('replays a delayed submission with the due time it got first', async () => {
      const first = await subject.addOne({ key: 'k', delayMs: 100, ttlMs: 10 });
      subject.clock.advance(105);
      await subject.queue.promote(subject.name);
      expect(only(await submit({ key: 'k', delayMs: 100, ttlMs: 10 }))).toEqual({
        status: 'replayed',
        task: first,
      });
    });

    it('replays a submission that spells out the defaults', async () => {
      await subject.addOne({ key: 'k' });
      const again = { key: 'k', tenant: 'default', priority: 3 as const, tags: [], metadata: {} };
      expect(statuses(await submit(again))).toEqual(['replayed']);
    });

    it('replays after the task has ended', async () => {
      const leased = await subject.start({ key: 'k' });
      await subject.complete(leased);
      expect(statuses(await submit({ key: 'k' }))).toEqual(['replayed']);
      expect(await subject.stateOf(leased.id)).toBe('completed');
    });

    const base: Partial<NewTask> = { key: 'k', delayMs: 10, retry: retryPolicy() };
    const variations: [string, Partial<NewTask>][] = [
      ['type', { type: 'other' }],
      ['priority', { priority: 4 }],
      ['payload', { payload: '2' }],
      ['absence of a payload', { payload: undefined }],
      ['retry policy', { retry: retryPolicy({ maxAttempts: 11 }) }],
      ['delay', { delayMs: 11 }],
      ['moment', { delayMs: undefined, runAtMs: 1 }],
    ];
    const isConflict = async (variation: Partial<NewTask>) => {
      const task = await subject.addOne(base);
      const before = await subject.everythingOf(task.id);
      expect(statuses(await submit({ ...base, ...variation }))).toEqual(['id-conflict']);
      expect(await subject.everythingOf(task.id)).toEqual(before);
      expect(await count()).toBe(1);
    };
    it.each(variations)('refuses a known key with another %s, and changes nothing', (_, variation) =>
      isConflict(variation),
    );
    needs('tenants').it('refuses it with another tenant', () => isConflict({ tenant: 'other' }));
    needs('metadata').it('refuses it with other tags or metadata', async () => {
      await isConflict({ tags: ['t'] });
      expect(statuses(await submit({ ...base, metadata: { a: 'b' } }))).toEqual(['id-conflict']);
    });
    needs('timeouts').it('refuses it with a timeout', () => isConflict({ timeoutMs: 11 }));
    needs('ttl').it('refuses it with a time to live', () => isConflict({ ttlMs: 11 }));
    needs('ordering-keys').it('refuses it with an ordering key', () => isConflict({ orderingKey: 'o' }));

    it('takes the same key in two queues as two tasks', async () => {
      const other = uniqueQueue();
      expect(statuses(await submit({ key: 'k' }, { key: 'k', queue: other, payload: '2' }))).toEqual([
        'accepted',
        'accepted',
      ]);
    });

    it('judges later items of a call by the earlier ones', async () => {
      const outcomes = await submit({ key: 'k' }, { key: 'k' }, { key: 'k', payload: '2' });
      expect(statuses(outcomes)).toEqual(['accepted', 'replayed', 'id-conflict']);
      expect(await count()).toBe(1);
      expect(await subject.take(5)).toHaveLength(1);
    });

    it('stores one of many equal submissions made at the same time', async () => {
      const another = await subject.another();
      const task = newTask({ queue: subject.name, key: 'k' });
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) => (index % 2 ? another : subject.queue).enqueue([task])),
      );
      const all = statuses(outcomes.flat());
      expect(all.filter((status) => status === 'accepted')).toHaveLength(1);
      expect(all.filter((status) => status === 'replayed')).toHaveLength(9);
    });
  });

  needs('idempotency-keys').describe('idempotency keys', () => {
    const idempotency = { key: 'request-1', fingerprint: 'f1' };

    it('replay the task that the first submission created', async () => {
      const first = await subject.addOne({ idempotency });
      expect(only(await submit({ idempotency }))).toEqual({ status: 'replayed', task: first });
      expect(await count()).toBe(1);
    });

    it('are refused with another fingerprint', async () => {
      await subject.addOne({ idempotency });
      expect(statuses(await submit({ idempotency: { ...idempotency, fingerprint: 'f2' } }))).toEqual([
        'idempotency-mismatch',
      ]);
      expect(await count()).toBe(1);
    });

    it('decide before the task key does', async () => {
      const first = await subject.addOne({ key: 'a', idempotency });
      expect(only(await submit({ key: 'b', idempotency }))).toEqual({ status: 'replayed', task: first });
      expect(await subject.find(`${subject.name}~b`)).toBeUndefined();
    });

    it('decide before a task key that another task has', async () => {
      const [first] = await subject.add({ key: 'a', idempotency }, { key: 'b', payload: '2' });
      expect(only(await submit({ key: 'b', idempotency }))).toEqual({ status: 'replayed', task: first });
    });

    it('are remembered per queue', async () => {
      await subject.addOne({ idempotency });
      expect(statuses(await submit({ queue: uniqueQueue(), idempotency }))).toEqual(['accepted']);
    });

    it('work within one call', async () => {
      const mismatch = { ...idempotency, fingerprint: 'f2' };
      const outcomes = await submit({ idempotency }, { idempotency }, { idempotency: mismatch });
      expect(statuses(outcomes)).toEqual(['accepted', 'replayed', 'idempotency-mismatch']);
      expect(await count()).toBe(1);
    });

    it('are not used up by a refused submission', async () => {
      await subject.addOne({ key: 'k' });
      expect(statuses(await submit({ key: 'k', payload: '2', idempotency }))).toEqual(['id-conflict']);
      expect(statuses(await submit({ key: 'free', idempotency }))).toEqual(['accepted']);
    });

    needs('retention').it('say so where the task they created has been removed', async () => {
      // Retention by bytes: by age the key would be forgotten first.
      const payload = JSON.stringify('x'.repeat(LIMITS.payloadBytesMax - 2));
      const { id } = await subject.addOne({ payload, idempotency });
      await subject.cancel(id);
      for (let bytes = 0; bytes < RETENTION.cancelled.bytesMax; bytes += LIMITS.payloadBytesMax) {
        subject.clock.advance(1);
        await subject.cancel((await subject.addOne({ payload })).id);
      }
      await subject.queue.prune(subject.name);
      expect(await subject.find(id)).toBeUndefined();
      expect(statuses(await submit({ payload, idempotency }))).toEqual(['task-gone']);
      expect(statuses(await submit({ idempotency: { ...idempotency, fingerprint: 'f2' } }))).toEqual([
        'idempotency-mismatch',
      ]);
    });

    it('are forgotten after a while', async () => {
      if (!subject.forgetsByClock) return;
      await subject.addOne({ idempotency });
      subject.clock.advance(LIMITS.idempotencyMs - 1);
      expect(statuses(await submit({ idempotency }))).toEqual(['replayed']);
      subject.clock.advance(1);
      expect(statuses(await submit({ idempotency: { ...idempotency, fingerprint: 'f2' } }))).toEqual([
        'accepted',
      ]);
    });
  });

  needs('atomic-batches').describe('atomic batches', () => {
    it('store all where none is refused', async () => {
      await subject.addOne({ key: 'old' });
      const outcomes = await submitAtomically({ key: 'a' }, { key: 'old' }, { key: 'b' });
      expect(statuses(outcomes)).toEqual(['accepted', 'replayed', 'accepted']);
      expect(await count()).toBe(3);
    });

    needs('combined-lists').it(
      'store none where one is refused, and give its error to those that could have been stored',
      async () => {
        await subject.add({ key: 'taken' }, { key: 'other' });
        const outcomes = await submitAtomically(
          { key: 'a' },
          { key: 'other', payload: '2' },
          { key: 'b' },
          { key: 'taken', payload: '2' },
        );
        expect(statuses(outcomes)).toEqual(['id-conflict', 'id-conflict', 'id-conflict', 'id-conflict']);
        const errors = outcomes.map((outcome) => outcome.status === 'refused' && outcome.error.data.taskId);
        expect(errors).toEqual([
          `${subject.name}~other`,
          `${subject.name}~other`,
          `${subject.name}~other`,
          `${subject.name}~taken`,
        ]);
        expect(keysOf(await stored())).toEqual(['taken', 'other']);
        expect(await subject.take(10)).toHaveLength(2);
      },
    );

    it('still replay what an earlier call stored where another item is refused', async () => {
      const [old] = await subject.add({ key: 'old' }, { key: 'taken' });
      const outcomes = await submitAtomically(
        { key: 'a' },
        { key: 'old' },
        { key: 'a' },
        { key: 'taken', payload: '2' },
      );
      expect(statuses(outcomes)).toEqual(['id-conflict', 'replayed', 'id-conflict', 'id-conflict']);
      expect(outcomes[1]).toEqual({ status: 'replayed', task: old });
    });

    needs('idempotency-keys').it('use up no idempotency key where they are refused', async () => {
      const idempotency = { key: 'request-1', fingerprint: 'f1' };
      await subject.addOne({ key: 'taken' });
      await submitAtomically({ idempotency }, { key: 'taken', payload: '2' });
      expect(statuses(await submit({ idempotency: { ...idempotency, fingerprint: 'f2' } }))).toEqual([
        'accepted',
      ]);
    });

    it('refuse a conflict inside themselves', async () => {
      const outcomes = await submitAtomically({ key: 'a' }, { key: 'a', payload: '2' });
      expect(statuses(outcomes)).toEqual(['id-conflict', 'id-conflict']);
      expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
    });

    it('go to one queue', async () => {
      await expect(submitAtomically({ key: 'a' }, { queue: uniqueQueue() })).rejects.toMatchObject({
        code: 'batch-spans-queues',
        kind: 'invalid',
      });
      expect(await subject.queue.overview([subject.name])).toEqual([undefined]);
    });

    it('may be repeated', async () => {
      const batch = [{ key: 'a' }, { key: 'b' }];
      await submitAtomically(...batch);
      expect(statuses(await submitAtomically(...batch))).toEqual(['replayed', 'replayed']);
      expect(await count()).toBe(2);
    });
  });

  needs('combined-lists').it(
    'stores the others where one of a batch that is not atomic is refused',
    async () => {
      await subject.addOne({ key: 'taken' });
      const outcomes = await submit({ key: 'a' }, { key: 'taken', payload: '2' }, { key: 'b' });
      expect(statuses(outcomes)).toEqual(['accepted', 'id-conflict', 'accepted']);
      expect(keysOf(await stored())).toEqual(['taken', 'a', 'b']);
    },
  );

  it('spreads one batch over several queues', async () => {
    const other = uniqueQueue();
    const outcomes = await submit({ key: 'a' }, { key: 'b', queue: other }, { key: 'c' });
    expect(outcomes.map((outcome) => taskOf(outcome).id)).toEqual([
      `${subject.name}~a`,
      `${other}~b`,
      `${subject.name}~c`,
    ]);
    expect(keysOf(await subject.take(5))).toEqual(['a', 'c']);
    expect(keysOf(await subject.take(5, { queue: other }))).toEqual(['b']);
  });

  describe('routing', () => {
    it('sends a type nobody announced to the default queue', async () => {
      const [outcome] = await subject.queue.enqueue([{ type: `unheard.${subject.name}` }]);
      expect(outcome && taskOf(outcome).queue).toBe('default');
    });

    needs('type-routes').it(
      'sends an announced type to its queue, unless the submission names one',
      async () => {
        const type = `announced.${subject.name}`;
        await subject.queue.announceTypes({ [type]: subject.name });
        const other = uniqueQueue();
        const outcomes = await subject.queue.enqueue([{ type }, { type, queue: other }]);
        expect(outcomes.map((outcome) => taskOf(outcome).queue)).toEqual([subject.name, other]);
      },
    );

    needs('type-routes').it(
      'follows the latest announcement, and keeps the routes of other types',
      async () => {
        const [moved, kept] = [`moved.${subject.name}`, `kept.${subject.name}`];
        await subject.queue.announceTypes({ [moved]: uniqueQueue(), [kept]: subject.name });
        await subject.queue.announceTypes({ [moved]: subject.name });
        const outcomes = await subject.queue.enqueue([{ type: moved }, { type: kept }]);
        expect(outcomes.map((outcome) => taskOf(outcome).queue)).toEqual([subject.name, subject.name]);
      },
    );

    needs('type-routes').it('refuses names outside the alphabet', async () => {
      await expect(subject.queue.announceTypes({ 'a b': subject.name })).rejects.toMatchObject({
        kind: 'invalid',
      });
      await expect(subject.queue.announceTypes({ a: 'no spaces' })).rejects.toMatchObject({
        kind: 'invalid',
      });
    });
  });

  it('says which task a refusal is about', async () => {
    await subject.addOne({ key: 'k' });
    const outcome = only(await submit({ key: 'k', payload: '2' }));
    expect(refusalOf(outcome)).toBe('id-conflict');
    expect(outcome.status === 'refused' && outcome.error.data.taskId).toBe(`${subject.name}~k`);
  });
}
