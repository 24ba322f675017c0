import { pagesOf, partitionQueue, sizeClass, type Queue } from '@app/queue';
import { complete, describeSplitQueue, NAME_IN, NAMES } from './split-queue.js';

describeSplitQueue('reading', (split) => {
  it('the overview is the sum of the partitions', async () => {
    await split.add(...NAMES.map((key) => ({ key, type: key })));
    split.clock.advance(7_000);
    await split.add({ tenant: NAME_IN[3], delayMs: 9_000 }, { tenant: NAME_IN[1], delayMs: 4_000 });
    await split.queue.settle((await split.take(10)).map(complete));
    const whole = await split.overview();
    expect(whole).toMatchObject({
      queue: split.name,
      backlog: 32,
      states: { pending: 30, scheduled: 2, completed: 10 },
      oldestPendingAgeMs: 7_000,
      nextDueInMs: 4_000,
    });
    expect(Object.keys(whole.types)).toHaveLength(41);
    expect(whole.priorities[3].completed).toBe(10);
    split.clock.advance(60_000);
    const { minutes, waits } = await split.overview();
    const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
    expect(sum(minutes.map(({ enqueued }) => enqueued))).toBe(42);
    expect(sum(minutes.map(({ completed }) => completed))).toBe(10);
    expect(new Set(minutes.map(({ at }) => at)).size).toBe(minutes.length);
    expect(sum(waits)).toBe(10);
  });

  it('a list is complete, in pages of any size', async () => {
    await split.add(
      ...NAMES.map((key, i) => ({ key, tenant: i % 2 ? key : undefined, type: i % 4 ? 'a' : 'b' })),
    );
    const count = async (query: object) => {
      const ids: string[] = [];
      const all = { queue: split.name, order: 'newest', limit: 3, ...query } as const;
      for await (const tasks of pagesOf((cursor) => split.queue.list({ ...all, cursor }))) {
        expect(tasks.length).toBeLessThanOrEqual(3);
        expect(tasks.every((task) => task.queue === split.name)).toBe(true);
        ids.push(...tasks.map(({ id }) => id));
      }
      expect(new Set(ids).size).toBe(ids.length);
      return ids.length;
    };
    expect(await count({})).toBe(40);
    expect(await count({ order: 'oldest', state: 'pending' })).toBe(40);
    expect(await count({ type: 'b' })).toBe(10);
    expect(await count({ tenant: NAMES[1] })).toBe(1);
    expect(await count({ tenant: 'default' })).toBe(20);
    expect(await count({ state: 'completed' })).toBe(0);
  });

  it.each(['nonsense', 'W10', 'WzksbnVsbF0', 'WzAsMV0'])(
    'the cursor %j belongs to no list',
    async (cursor) => {
      const query = { queue: split.name, order: 'newest', limit: 1, cursor } as const;
      await expect(split.queue.list(query)).rejects.toMatchObject({ code: 'invalid-cursor' });
      await expect(split.queue.tenants(split.name, 1, cursor)).rejects.toMatchObject({
        code: 'invalid-cursor',
      });
    },
  );

  it('the names of partitions are not among those of queues', async () => {
    const others = [`${split.name}-a`, `${split.name}.b`, `${split.name}z`];
    await split.enqueue(others.map((other) => ({ queue: other })));
    await split.add(...NAMES.map((key) => ({ key })));
    const expected = [split.name, ...others].sort();
    const short = new Proxy(split.inner, {
      get: (inner, operation: keyof Queue) =>
        operation === 'queues' ? (_: number, cursor: string) => inner.queues(1, cursor) : inner[operation],
    });
    for (const [each, limit] of [1, 2, 3, 4, 100].flatMap(
      (n) =>
        [
          [split.queue, n],
          [partitionQueue(short), n],
        ] as const,
    )) {
      const items: string[] = [];
      for await (const page of pagesOf((cursor) => each.queues(limit, cursor))) {
        expect(page.length).toBeGreaterThan(0);
        items.push(...page);
      }
      expect(items).toEqual(expected);
    }
  });

  it('tenants are listed by the class of their number of open tasks, each once', async () => {
    for (const [i, tenant] of NAMES.entries())
      await split.add(...Array.from({ length: (i % 7) + 1 }, () => ({ tenant })));
    await split.add(...Array.from({ length: 20 }, () => ({})));
    await split.queue.configureTenant(split.name, 'idle', { weight: 3 });
    await split.queue.pause(split.name, 'halted');
    for (const limit of [1, 5, 42, 43, 100]) {
      const items: { tenant: string; backlog: number }[] = [];
      for await (const page of pagesOf((cursor) => split.queue.tenants(split.name, limit, cursor))) {
        expect(page.length).toBeLessThanOrEqual(limit);
        items.push(...page);
      }
      const expected = [
        { tenant: 'default', open: 20 },
        ...NAMES.map((tenant, i) => ({ tenant, open: (i % 7) + 1 })),
        { tenant: 'idle', open: 0 },
        { tenant: 'halted', open: 0 },
      ].sort((a, b) => sizeClass(b.open) - sizeClass(a.open) || (a.tenant < b.tenant ? 1 : -1));
      expect(items.map(({ tenant, backlog }) => ({ tenant, open: backlog }))).toEqual(expected);
    }
  });

  it('a tenant is seen as a whole', async () => {
    await split.add({ tenant: 'a' }, { tenant: 'a' }, ...NAMES.map((key) => ({ key })));
    const held = (await split.take(100)).length;
    expect(held).toBe(42);
    expect(await split.queue.tenant(split.name, 'a')).toMatchObject({ tenant: 'a', backlog: 0, running: 2 });
    expect(await split.queue.tenant(split.name, 'default')).toMatchObject({
      running: 40,
      startedThisMinute: 40,
    });
    expect(await split.queue.tenant(split.name, 'nobody')).toMatchObject({
      tenant: 'nobody',
      backlog: 0,
      running: 0,
    });
  });
});
