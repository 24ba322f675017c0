import type { EnqueueOutcome, Task } from '@app/queue';
import { listAll, uniqueQueue } from '@app/queue/testing';
import {
  accepted,
  complete,
  describeSplitQueue,
  LEASE_MS,
  NAME_IN,
  NAMES,
  partitionIn,
  partitionOf,
} from './split-queue.js';

describeSplitQueue('where tasks are', (split) => {
  it('they are in all partitions, and callers see one queue', async () => {
    const tasks = await split.add(...Array.from({ length: 40 }, () => ({})));
    for (const part of await split.inner.overview(split.everyPartition()))
      expect(part!.states.pending).toBe(10);
    expect((await split.overview()).states.pending).toBe(40);
    expect(new Set(tasks.map((task) => task.queue))).toEqual(new Set([split.name]));
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(40);
  });

  it('those of a tenant are in one, whatever else they have', async () => {
    for (const tenant of NAMES) {
      const tasks = await split.add(
        { tenant },
        { tenant, key: 'a' + tenant },
        { tenant, orderingKey: 'o' },
        { tenant, idempotency: { key: 'i' + tenant, fingerprint: 'f' } },
      );
      expect(tasks.map(({ id }) => partitionIn(id))).toEqual(Array(4).fill(partitionOf(tenant)));
    }
  });

  it('those of an ordering key of the default tenant are in one', async () => {
    for (const orderingKey of NAMES) {
      const tasks = await split.add(
        { orderingKey },
        { orderingKey, tenant: 'default', key: 'k' + orderingKey },
      );
      expect(tasks.map(({ id }) => partitionIn(id))).toEqual(Array(2).fill(partitionOf(orderingKey)));
    }
  });

  it('those of a type go to the partitions of its queue', async () => {
    await split.queue.announceTypes({ routed: split.name });
    const outcomes = await split.queue.enqueue(NAMES.map((key) => ({ type: 'routed', key })));
    const tasks = outcomes.map(accepted);
    expect(tasks.map(({ id }) => id)).toEqual(NAMES.map((key) => split.idOf(partitionOf(key), key)));
    expect(tasks.every((task) => task.queue === split.name)).toBe(true);
  });

  it('a batch for several queues reaches them all', async () => {
    const other = uniqueQueue();
    const outcomes = await split.enqueue([{ key: 'a' }, { queue: other, key: 'a' }, { key: 'b' }]);
    expect(outcomes.map((outcome) => accepted(outcome).queue)).toEqual([split.name, other, split.name]);
    expect(accepted(outcomes[1]!).id).toBe(`${other}~a`);
  });

  it.each<[string, object]>([
    ['/tenant', { tenant: 7 }],
    ['/orderingKey', { orderingKey: {} }],
    ['/id', { key: ['k'] }],
    ['/priority', { tenant: 't', priority: 7 }],
  ])('are none where they are not valid at %s', async (pointer, task) => {
    const refusal = { code: 'invalid-task', data: { pointer } };
    await expect(split.enqueue([{}, task])).rejects.toMatchObject(refusal);
    await expect(split.enqueue([{}, task], { atomic: true })).rejects.toMatchObject(refusal);
    expect(await listAll(split.queue, { queue: split.name })).toEqual([]);
  });

  it('the name of a partition is no queue to callers', async () => {
    const queueName = `${split.name}~1`;
    const calls = [
      () => split.enqueue([{ queue: queueName }]),
      () => split.lease(1, { queue: queueName }),
      () => split.queue.settle([], { queue: queueName, workerId: 'w', max: 1, leaseMs: LEASE_MS }),
      () => split.queue.waitForWork([queueName], 1),
      () => split.queue.announceTypes({ t: queueName }),
      () => split.queue.list({ queue: queueName, order: 'newest', limit: 1 }),
      () => split.queue.overview([queueName]),
      () => split.queue.settings(queueName),
      () => split.queue.tenants(queueName, 1),
      () => split.queue.tenant(queueName, 't'),
      () =>
        split.queue.follow({ queues: [queueName] }, { onEvents: () => undefined, onGap: () => undefined }),
      () => split.queue.configure(queueName, {}),
      () => split.queue.configureTenant(queueName, 't', {}),
      () => split.queue.pause(queueName),
      () => split.queue.resume(queueName),
      () => split.queue.drain(queueName),
      () => split.queue.purge({ queue: queueName, state: 'waiting' }),
      () => split.queue.deleteQueue(queueName),
      () => split.queue.promote(queueName),
      () => split.queue.reap(queueName),
      () => split.queue.prune(queueName),
    ];
    for (const call of calls) {
      await expect(async () => call()).rejects.toMatchObject({ kind: 'invalid' });
    }
  });
});

describeSplitQueue('repeats', (split) => {
  it('a task is recognised by its key and by its idempotency key', async () => {
    const tasks = NAMES.flatMap((text) => [
      { key: text },
      { idempotency: { key: text, fingerprint: 'f' } },
      { key: `t${text}`, tenant: text },
      { key: `o${text}`, orderingKey: text },
    ]);
    const first = await split.enqueue(tasks);
    const again = await split.enqueue([...tasks].reverse());
    expect(again.map((outcome) => outcome.status)).toEqual(tasks.map(() => 'replayed'));
    expect(again.reverse().map(taskOf)).toEqual(first.map(accepted));
    const others = await split.enqueue(NAMES.map((key) => ({ key, payload: '2' })));
    for (const outcome of others) expect(outcome).toMatchObject({ error: { code: 'id-conflict' } });
  });

  it('an atomic batch is recognised', async () => {
    const tasks = NAMES.map((key) => ({ key }));
    const first = (await split.enqueue(tasks, { atomic: true })).map(accepted);
    expect(new Set(first.map(({ id }) => partitionIn(id)))).toEqual(new Set([partitionOf(NAMES[0]!)]));
    const again = await split.enqueue(tasks, { atomic: true });
    expect(again.map((outcome) => outcome.status)).toEqual(tasks.map(() => 'replayed'));
  });

  it('a lease is, by another process too', async () => {
    await split.add(...NAMES.map((key) => ({ key })));
    const another = await split.another();
    const seen: string[] = [];
    for (let round = 0; seen.length < NAMES.length; round++) {
      const request = {
        queue: split.name,
        workerId: 'worker-1',
        leaseMs: LEASE_MS,
        max: 7,
        requestId: `r${round}`,
      };
      const { tasks } = await split.queue.lease(request);
      expect(tasks.length).toBeGreaterThan(0);
      expect((await split.queue.lease(request)).tasks).toEqual(tasks);
      expect((await another.lease(request)).tasks).toEqual(tasks);
      seen.push(...tasks.map(({ id }) => id));
    }
    expect(new Set(seen).size).toBe(NAMES.length);
  });

  it('a settlement with a lease is', async () => {
    await split.add(...NAMES.map((key) => ({ key })));
    const held = await split.take(5);
    const settlements = held.map(complete);
    const next = { queue: split.name, workerId: 'worker-1', leaseMs: LEASE_MS, max: 5, requestId: 'next' };
    const first = await split.queue.settle(settlements, next);
    expect(first.outcomes).toEqual(held.map(() => ({ status: 'settled', state: 'completed' })));
    expect(first.lease!.tasks).toHaveLength(5);
    expect(await split.queue.settle(settlements, next)).toEqual(first);
  });
});

describeSplitQueue('atomic batches', (split) => {
  it('are stored where their tenant is, with what is bound to nothing', async () => {
    const tenant = NAME_IN[2]!;
    const tasks = [{ key: 'a' }, { tenant }, {}, { tenant, orderingKey: NAME_IN[3]! }];
    const ids = (await split.enqueue(tasks, { atomic: true })).map((outcome) => accepted(outcome).id);
    expect(ids.map(partitionIn)).toEqual([2, 2, 2, 2]);
  });

  it('are refused when their tenants are in several partitions, and nothing is stored', async () => {
    const tasks = [{ tenant: NAME_IN[0] }, { orderingKey: NAME_IN[1] }];
    await expect(split.enqueue(tasks, { atomic: true })).rejects.toMatchObject({
      code: 'batch-spans-queues',
    });
    expect(await listAll(split.queue, { queue: split.name })).toEqual([]);
  });

  it('are refused when they are for several queues', async () => {
    const tasks = [{}, { queue: uniqueQueue() }];
    await expect(split.enqueue(tasks, { atomic: true })).rejects.toMatchObject({
      code: 'batch-spans-queues',
    });
  });
});

function taskOf(outcome: EnqueueOutcome): Task | undefined {
  return 'task' in outcome ? outcome.task : undefined;
}
