import { complete, describeSplitQueue, NAMES, PARTITIONS } from './split-queue.js';

describeSplitQueue('settings', (split) => {
  const limits = { concurrency: 10, rate: { limit: 50, perMs: 1_000, burst: 6 }, backlog: 43 };

  it('are divided among the partitions and shown undivided', async () => {
    const settings = {
      ...limits,
      priority: { policy: 'off' } as const,
      tenants: { weight: 2, backlog: 3 },
    };
    await split.queue.configure(split.name, settings);
    expect(await split.queue.settings(split.name)).toEqual({ ...settings, partitions: PARTITIONS });
    const shares = await Promise.all(split.everyPartition().map((each) => split.inner.settings(each)));
    expect(shares.map(({ concurrency }) => concurrency)).toEqual([3, 3, 2, 2]);
    expect(shares.map(({ backlog }) => backlog)).toEqual([11, 11, 11, 10]);
    expect(shares.map(({ rate }) => [rate?.limit, rate?.perMs, rate?.burst])).toEqual([
      [13, 1_000, 2],
      [13, 1_000, 2],
      [12, 1_000, 1],
      [12, 1_000, 1],
    ]);
    expect(shares.map(({ tenants }) => tenants)).toEqual(shares.map(() => settings.tenants));
  });

  it('hold for the queue as a whole', async () => {
    await split.queue.configure(split.name, { concurrency: 10 });
    await split.add(...NAMES.map(() => ({})));
    const held = await split.take(100);
    expect(held).toHaveLength(10);
    await split.queue.settle(held.slice(0, 4).map(complete));
    expect(await split.take(100)).toHaveLength(4);
  });

  it.each<[string, object]>([
    ['/concurrency', { concurrency: 3 }],
    ['/rate/limit', { rate: { limit: 3, perMs: 1_000 } }],
    ['/rate/burst', { rate: { limit: 30, perMs: 1_000, burst: 3 } }],
    ['/backlog', { backlog: 3 }],
    ['/mode', { mode: 'fifo' }],
    ['/partitions', { partitions: 3 }],
    ['/partitions', { partitions: 65 }],
    ['/weight', { weight: 1 }],
  ])('are refused at %s: %j', async (pointer, settings) => {
    const refusal = { code: 'invalid-request', data: { pointer } };
    await expect(split.queue.configure(split.name, settings)).rejects.toMatchObject(refusal);
    expect(await split.queue.settings(split.name)).toEqual({ partitions: PARTITIONS });
  });

  it('of a tenant are where it is; those of the default tenant are divided', async () => {
    await split.queue.configureTenant(split.name, 'a', { concurrency: 1, weight: 5 });
    await split.queue.configureTenant(split.name, 'default', limits);
    expect((await split.queue.tenant(split.name, 'a')).settings).toEqual({ concurrency: 1, weight: 5 });
    expect((await split.queue.tenant(split.name, 'default')).settings).toEqual(limits);
    await split.add({ tenant: 'a' }, { tenant: 'a' }, ...NAMES.map(() => ({})));
    await expect(split.queue.configureTenant(split.name, 'default', { backlog: 3 })).rejects.toMatchObject({
      code: 'invalid-request',
      data: { pointer: '/backlog' },
    });
    await split.queue.configureTenant(split.name, 'default', { concurrency: 8 });
    expect((await split.take(100)).filter(({ tenant }) => tenant === 'a')).toHaveLength(1);
    expect(await split.queue.tenant(split.name, 'default')).toMatchObject({ running: 8 });
  });
});
