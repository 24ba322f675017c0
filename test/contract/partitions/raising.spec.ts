import { partitionQueue } from '@app/queue';
import { listAll, newTask, uniqueQueue } from '@app/queue/testing';
import {
  complete,
  describeSplitQueue,
  failing,
  NAME_IN,
  NAMES,
  partitionIn,
  partitionOf,
  PARTITIONS,
} from './split-queue.js';

describeSplitQueue('raising the number of partitions', (split) => {
  const more = 7;
  const settle = async () => split.queue.settle((await split.take(1_000)).map(complete));

  it('is for a queue in which nothing waits or runs', async () => {
    const raise = () => split.queue.configure(split.name, { partitions: more });
    await split.add({ tenant: NAME_IN[2], delayMs: 1_000 });
    await expect(raise()).rejects.toMatchObject({ code: 'queue-not-empty' });
    split.clock.advance(1_000);
    const [held] = await split.take(1);
    await expect(raise()).rejects.toMatchObject({ code: 'queue-not-empty' });
    expect(await split.queue.settings(split.name)).toEqual({ partitions: PARTITIONS });
    await split.queue.settle([complete(held!)]);
    await raise();
    expect(await split.queue.settings(split.name)).toEqual({ partitions: more });
    const tasks = await split.add(...NAMES.map((key) => ({ key })));
    expect(tasks.map(({ id }) => partitionIn(id))).toEqual(NAMES.map((key) => partitionOf(key, more)));
    await settle();
    expect(await listAll(split.queue, { queue: split.name, state: 'completed' })).toHaveLength(41);
  });

  it('from one is the same', async () => {
    split.name = uniqueQueue();
    await split.queue.configureTenant(split.name, 'a', { weight: 9 });
    const [before] = await split.add({ key: 'before' });
    await settle();
    await split.queue.configure(split.name, { partitions: PARTITIONS, concurrency: 8 });
    expect(await split.queue.settings(split.name)).toEqual({ partitions: PARTITIONS, concurrency: 8 });
    expect((await split.queue.tenant(split.name, 'a')).settings).toEqual({ weight: 9 });
    expect((await split.queue.get([before!.id]))[0]).toMatchObject({ id: before!.id, state: 'completed' });
    await split.add(...NAMES.map((key) => ({ key })));
    expect(await split.take(100)).toHaveLength(8);
  });

  it('leaves tenants and pauses as they were', async () => {
    await split.queue.configure(split.name, { concurrency: 8 });
    for (const tenant of NAMES)
      await split.queue.configureTenant(split.name, tenant, { weight: 1 + Number(tenant.slice(1)) });
    await split.queue.configureTenant(split.name, 'default', { concurrency: 16 });
    await split.queue.pause(split.name, NAMES[5]);
    await split.queue.pause(split.name, 'default');
    await split.queue.pause(split.name);
    await split.queue.drain(split.name);
    await split.queue.configure(split.name, { concurrency: 14, partitions: more });
    expect(await split.queue.settings(split.name)).toEqual({ concurrency: 14, partitions: more });
    for (const tenant of NAMES) {
      expect(await split.queue.tenant(split.name, tenant)).toMatchObject({
        settings: { weight: 1 + Number(tenant.slice(1)) },
        paused: tenant === NAMES[5],
      });
    }
    expect(await split.queue.tenant(split.name, 'default')).toMatchObject({
      settings: { concurrency: 16 },
      paused: true,
    });
    expect(await split.overview()).toMatchObject({ paused: true, draining: true });
    const { items } = await split.queue.tenants(split.name, 100);
    expect(items).toHaveLength(41);
    const refused = await split.enqueue(NAMES.map((tenant) => ({ tenant })));
    for (const outcome of refused) expect(outcome).toMatchObject({ error: { code: 'queue-draining' } });
    await split.queue.resume(split.name);
    await split.add(...NAMES.map((tenant) => ({ tenant })));
    const held = await split.take(100);
    expect(held).toHaveLength(14);
    expect(held.map(({ tenant }) => tenant)).not.toContain(NAMES[5]);
  });

  it('again and again leaves tenants as they are then', async () => {
    const seen = () =>
      Promise.all([...NAMES, 'default'].map((tenant) => split.queue.tenant(split.name, tenant)));
    for (const [round, partitions] of [5, 6, 7, 8, 9, 10].entries()) {
      for (const tenant of [...NAMES, 'default']) {
        await split.queue.configureTenant(split.name, tenant, round % 2 ? {} : { weight: round + 1 });
        await (round % 2 ? split.queue.resume(split.name, tenant) : split.queue.pause(split.name, tenant));
      }
      await (round % 2 ? split.queue.resume(split.name) : split.queue.pause(split.name));
      const before = await seen();
      if (round % 2 === 0) {
        // What an interrupted one leaves behind must not come back later.
        const broken = partitionQueue(failing(split.inner, 'configure', split.name));
        const raised = broken.configure(split.name, { partitions: partitions + 1 });
        await expect(raised).rejects.toMatchObject({ kind: 'unavailable' });
      }
      await split.queue.configure(split.name, { partitions });
      expect(await seen()).toEqual(before);
      const names = split.everyPartition(partitions);
      const everywhere = await Promise.all(names.map((each) => split.inner.tenant(each, 'default')));
      expect(everywhere).toEqual(names.map(() => before.at(-1)));
      const parts = await split.inner.overview(names);
      expect(parts.map((part) => part!.paused)).toEqual(names.map(() => round % 2 === 0));
    }
  });

  it('is refused where the default tenant has too little to divide', async () => {
    await split.queue.configureTenant(split.name, 'default', { backlog: 4 });
    await expect(split.queue.configure(split.name, { partitions: more })).rejects.toMatchObject({
      code: 'invalid-request',
      data: { pointer: '/partitions' },
    });
    expect(await split.queue.settings(split.name)).toEqual({ partitions: PARTITIONS });
  });

  it('changes nothing for anybody where it is interrupted, and can be repeated', async () => {
    await split.queue.configureTenant(split.name, NAME_IN[1]!, { weight: 2 });
    const broken = failing(split.inner, 'configure', split.physical(5));
    const raised = partitionQueue(broken).configure(split.name, { partitions: more });
    await expect(raised).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await split.queue.settings(split.name)).toEqual({ partitions: PARTITIONS });
    await split.add(...NAMES.map((tenant) => ({ tenant })));
    await settle();
    expect((await split.overview()).states.completed).toBe(40);
    await split.queue.configure(split.name, { partitions: more });
    expect((await split.queue.tenant(split.name, NAME_IN[1]!)).settings).toEqual({ weight: 2 });
  });

  it('is heard of by other processes', async () => {
    const another = await split.another();
    await split.queue.configure(split.name, { partitions: more });
    await another.enqueue(NAMES.map((key) => newTask({ queue: split.name, key })));
    const found = await split.queue.get(NAMES.map((key) => `${split.name}~${key}`));
    expect(found.map((task) => partitionIn(task!.id))).toEqual(NAMES.map((key) => partitionOf(key, more)));
  });
});
