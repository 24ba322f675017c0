import { uniqueQueue } from '@app/queue/testing';
import {
  complete,
  describeSplitQueue,
  LEASE_MS,
  NAME_IN,
  NAMES,
  partitionOf,
  PARTITIONS,
} from './split-queue.js';

describeSplitQueue('work', (split) => {
  it('is found in every partition by one lease, and as much as was asked for', async () => {
    await split.add(...NAME_IN.flatMap((tenant) => [{ tenant }, { tenant }]));
    const first = await split.lease(5);
    expect(first.tasks).toHaveLength(5);
    expect(first.more).toBe(true);
    const second = await split.lease(5);
    expect(second).toMatchObject({ more: false });
    expect(new Set([...first.tasks, ...second.tasks].map(({ id }) => id)).size).toBe(8);
    expect(new Set(second.tasks.map((task) => task.queue))).toEqual(new Set([split.name]));
    expect(await split.lease(0)).toEqual({ tasks: [], more: false });
  });

  it('of every partition gets its turn when it is taken singly', async () => {
    await split.add(...NAME_IN.flatMap((tenant) => Array.from({ length: 30 }, () => ({ tenant }))));
    const seen = new Set<string>();
    for (let i = 0; i < 60; i++) seen.add((await split.take(1))[0]!.tenant);
    expect(seen.size).toBe(PARTITIONS);
  });

  it('of own tenants comes before that of others, in whichever partition', async () => {
    await split.add(
      ...NAMES.map((tenant) => ({
        tenant,
        priority: NAME_IN.includes(tenant) ? (1 as const) : (6 as const),
      })),
    );
    for (const tenant of NAME_IN) {
      const [task] = await split.take(1, { tenants: [tenant] });
      expect(task!.tenant).toBe(tenant);
      expect(await split.take(5, { tenants: [tenant], steal: false })).toEqual([]);
      const other = NAMES.findLast((each) => partitionOf(each) !== partitionOf(tenant))!;
      const stolen = await split.take(1, { tenants: [tenant], steal: [other] });
      expect(stolen.map((each) => each.tenant)).toEqual([other]);
      await split.queue.settle([{ id: stolen[0]!.id, leaseToken: stolen[0]!.leaseToken, action: 'release' }]);
    }
  });

  it('tells the time of what is due next in any partition', async () => {
    await split.add({ tenant: NAME_IN[1], delayMs: 5_000 }, { tenant: NAME_IN[3], delayMs: 3_000 });
    expect(await split.lease(10)).toEqual({ tasks: [], more: false, nextDueInMs: 3_000 });
  });

  it('wakes whoever waits, in whichever partition it appears', async () => {
    for (const tenant of NAME_IN) {
      const waiting = split.queue.waitForWork([uniqueQueue(), split.name], 10_000);
      await split.add({ tenant });
      expect(await waiting).toBe(split.name);
      expect((await split.take(1)).map((task) => task.tenant)).toEqual([tenant]);
    }
    expect(await split.queue.waitForWork([split.name], 1)).toBeUndefined();
  });

  it('wakes somebody else where its finder took work elsewhere', async () => {
    await split.add({ tenant: NAME_IN[1] });
    expect(await split.queue.waitForWork([split.name], 10_000)).toBe(split.name);
    await split.add({ tenant: NAME_IN[2] });
    // Begins with the other partition, and needs no more than what is there.
    const requestId = NAMES.find((each) => partitionOf(each) === 2)!;
    expect((await split.take(1, { requestId })).map((task) => task.tenant)).toEqual([NAME_IN[2]]);
    expect(await split.inner.waitForWork([split.physical(1)], 10_000)).toBe(split.physical(1));
  });

  it('of one tenant wakes whoever serves that one only', async () => {
    for (const tenant of NAME_IN) {
      await split.take(1, { tenants: [tenant], steal: false });
      const waiting = split.queue.waitForWork([split.name], 10_000, undefined, [tenant]);
      await split.add({ tenant });
      expect(await waiting).toBe(split.name);
      expect(await split.take(1, { tenants: [tenant], steal: false })).toHaveLength(1);
    }
  });

  it('is neither lost nor doubled by many workers', async () => {
    const queues = await Promise.all(Array.from({ length: 4 }, () => split.another()));
    for (let batch = 0; batch < 5; batch++) {
      await split.add(
        ...Array.from({ length: 200 }, (_, i) => ({ tenant: i % 3 ? NAMES[i % 40] : undefined })),
      );
    }
    const seen: string[] = [];
    await Promise.all(
      queues.map(async (each, worker) => {
        const next = {
          queue: split.name,
          workerId: `worker-${worker}`,
          leaseMs: LEASE_MS,
          max: 1 + worker * 6,
        };
        let held = (await each.lease(next)).tasks;
        while (held.length > 0) {
          seen.push(...held.map(({ id }) => id));
          const { outcomes, lease: more } = await each.settle(held.map(complete), next);
          for (const outcome of outcomes) expect(outcome.status).toBe('settled');
          held = more!.tasks;
        }
      }),
    );
    expect(seen).toHaveLength(1_000);
    expect(new Set(seen).size).toBe(1_000);
    expect((await split.overview()).states).toMatchObject({ completed: 1_000, pending: 0, running: 0 });
  });
});
