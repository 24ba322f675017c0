import { describeSplitQueue, LEASE_MS, NAME_IN, PARTITIONS } from './split-queue.js';

describeSplitQueue('tasks by id', (split) => {
  /** A task in each partition, and two ids for it: its own, and what its submitter knows. */
  const each = NAME_IN.map((key, index) => ({ key, index }));
  const idsOf = ({ key, index }: (typeof each)[number]) => [split.idOf(index, key), `${split.name}~${key}`];

  it('are found under their id and under queue~key', async () => {
    await split.add(...NAME_IN.map((key) => ({ key })));
    for (const { key, index } of each) {
      const found = await split.queue.get([
        ...idsOf({ key, index }),
        `${split.name}~none`,
        split.idOf(1, 'none'),
      ]);
      const expected = expect.objectContaining({
        id: split.idOf(index, key),
        queue: split.name,
        state: 'pending',
      });
      expect(found).toEqual([expected, expected, undefined, undefined]);
    }
  });

  it('are changed, cancelled, retried, awaited and removed under either', async () => {
    for (const which of [0, 1]) {
      const keys = each.map(({ key, index }) => ({ key: `${key}.${which}`, index }));
      await split.add(...each.map(({ key }, i) => ({ key: keys[i]!.key, orderingKey: key })));
      const ids = keys.map((key) => idsOf(key)[which]!);
      const done = keys.map(({ key, index }) =>
        expect.objectContaining({
          status: 'done',
          task: expect.objectContaining({ id: split.idOf(index, key), queue: split.name }),
        }),
      );
      expect(await split.queue.update(ids.map((id) => ({ id, priority: 6 })))).toEqual(done);
      const ends = Promise.all(ids.map((id) => split.queue.waitForEnd(id, 10_000)));
      expect(await split.queue.cancel(ids)).toEqual(done);
      for (const task of await ends)
        expect(task).toMatchObject({ queue: split.name, state: 'cancelled', priority: 6 });
      expect(await split.queue.retry(ids)).toEqual(done);
      const refused = await split.queue.remove(ids);
      for (const outcome of refused) expect(outcome).toMatchObject({ error: { code: 'wrong-state' } });
      await split.queue.cancel(ids);
      expect(await split.queue.remove(ids)).toEqual(done);
      expect(await split.queue.get(ids)).toEqual(ids.map(() => undefined));
    }
  });

  it('give their logs under either', async () => {
    await split.add(...NAME_IN.map((key) => ({ key })));
    const held = await split.take(PARTITIONS);
    await split.queue.extend(
      held.map(({ id, leaseToken }) => ({ id, leaseToken, logs: [`of ${id}`] })),
      LEASE_MS,
    );
    for (const { key, index } of each) {
      for (const id of idsOf({ key, index })) {
        expect((await split.queue.logs(id)).map(({ message }) => message)).toEqual([
          `of ${split.idOf(index, key)}`,
        ]);
      }
    }
  });

  it('are not found where there is no such partition', async () => {
    await split.add({ key: 'k' });
    for (const id of [`${split.name}~${PARTITIONS}~k`, `${split.name}~63~k`, `${split.name}~none`]) {
      expect(await split.queue.get([id])).toEqual([undefined]);
      expect(await split.queue.logs(id)).toEqual([]);
      expect(await split.queue.waitForEnd(id, 1_000)).toBeUndefined();
      const outcomes = [
        await split.queue.cancel([id]),
        await split.queue.retry([id]),
        await split.queue.remove([id]),
        await split.queue.update([{ id, priority: 1 }]),
      ];
      for (const [outcome] of outcomes) expect(outcome).toMatchObject({ error: { code: 'task-not-found' } });
      const [extended] = await split.queue.extend([{ id, leaseToken: 'x' }], LEASE_MS);
      expect(extended).toMatchObject({ status: 'refused', error: { data: { taskId: id } } });
    }
    await expect(split.queue.get([`${split.name}~64~k`])).rejects.toMatchObject({ code: 'invalid-task-id' });
  });
});
