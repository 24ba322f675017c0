import type { LeasedTask } from '../../core/ports/consumer.js';
import { LIMITS } from '../../core/limits.js';
import { needs } from './needs.js';
import { keysOf, useSubject, type Setup } from './subject.js';

export function describeFairness(setup: Setup): void {
  const subject = useSubject(setup);

  const addMany = (tenant: string, count: number) =>
    subject.add(...Array.from({ length: count }, (_, index) => ({ tenant, key: `${tenant}${index + 1}` })));
  const startsByTenant = (tasks: readonly LeasedTask[]) => {
    const starts: Record<string, number> = {};
    for (const { tenant } of tasks) starts[tenant] = (starts[tenant] ?? 0) + 1;
    return starts;
  };
  const takeSingly = async (count: number) => {
    const tasks: LeasedTask[] = [];
    for (let i = 0; i < count; i += 1) tasks.push(await subject.takeOne());
    return tasks;
  };

  it('lets tenants take turns, whoever came first', async () => {
    await addMany('a', 3);
    await addMany('b', 3);
    await addMany('c', 3);
    expect(keysOf(await takeSingly(9))).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'b3', 'c3']);
  });

  it.each([2, 3, 5, 9, 27])('gives the same order %d at a time as one at a time', async (batch) => {
    const other = `${subject.name}.other`;
    for (const queue of [subject.name, other]) {
      await subject.queue.configureTenant(queue, 'b', { weight: 3 });
      for (const tenant of ['a', 'b', 'c']) {
        await subject.add(...Array.from({ length: 9 }, (_, i) => ({ queue, tenant, key: `${tenant}${i}` })));
      }
    }
    const singly = keysOf(await takeSingly(27));
    const together: string[] = [];
    while (together.length < 27) together.push(...keysOf(await subject.take(batch, { queue: other })));
    expect(together).toEqual(singly);
  });

  it('breaks ties by tenant name in byte order', async () => {
    for (const tenant of ['b', 'a', 'B', '_', '9']) await addMany(tenant, 1);
    expect(keysOf(await subject.take(9))).toEqual(['91', 'B1', '_1', 'a1', 'b1']);
  });

  it.each([1, 7, 10])('shares by weight 1:2:4, %d at a time', async (batch) => {
    await subject.configureTenant('b', { weight: 2 });
    await subject.configureTenant('c', { weight: 4 });
    for (const tenant of ['a', 'b', 'c']) await addMany(tenant, 100);
    const started: LeasedTask[] = [];
    for (let i = 0; i < 70 / batch; i += 1) started.push(...(await subject.take(batch)));
    const starts = startsByTenant(started);
    expect(Math.abs((starts['a'] ?? 0) - 10)).toBeLessThanOrEqual(1);
    expect(Math.abs((starts['b'] ?? 0) - 20)).toBeLessThanOrEqual(2);
    expect(Math.abs((starts['c'] ?? 0) - 40)).toBeLessThanOrEqual(4);
  });

  it('keeps tenants of equal weight within one lease batch of each other over any window', async () => {
    await addMany('a', 200);
    await addMany('b', 200);
    const batch = 7;
    let [a, b] = [0, 0];
    for (let i = 0; i < 40; i += 1) {
      const starts = startsByTenant(await subject.take(batch));
      a += starts['a'] ?? 0;
      b += starts['b'] ?? 0;
      expect(Math.abs(a - b)).toBeLessThanOrEqual(batch);
    }
  });

  it('serves so many tenants in one lease and says that there is more', async () => {
    const tenants = Array.from({ length: 2 * LIMITS.leaseServesTenantsMax + 1 }, (_, i) => `t${1_000 + i}`);
    await subject.add(...tenants.flatMap((tenant) => [1, 2].map((n) => ({ tenant, key: `${tenant}.${n}` }))));
    const leases = [];
    do leases.push(await subject.lease(LIMITS.leaseTasksMax));
    while (leases.at(-1)!.more);
    const served = leases.map(({ tasks }) => new Set(tasks.map(({ tenant }) => tenant)).size);
    expect(Math.max(...served)).toBe(LIMITS.leaseServesTenantsMax);
    // Turn by turn, as if taken singly.
    const turns = [1, 2].flatMap((n) => tenants.map((tenant) => `${tenant}.${n}`));
    expect(leases.flatMap(({ tasks }) => keysOf(tasks))).toEqual(turns);
  });

  needs('stealing').it('serves no more of the tenants that a worker names in one lease', async () => {
    const tenants = Array.from({ length: LIMITS.leaseServesTenantsMax + 1 }, (_, i) => `t${1_000 + i}`);
    await subject.add(...tenants.map((tenant) => ({ tenant, key: tenant })));
    const terms = { tenants, steal: false };
    const { tasks, more } = await subject.lease(LIMITS.leaseTasksMax, terms);
    expect([keysOf(tasks), more]).toEqual([tenants.slice(0, -1), true]);
    expect(await subject.keys(LIMITS.leaseTasksMax, terms)).toEqual(tenants.slice(-1));
  });

  it('lets a backlog of one tenant delay the first task of another by one turn', async () => {
    await addMany('big', 1_000);
    await takeSingly(50);
    await addMany('small', 1);
    expect((await takeSingly(2)).map(({ tenant }) => tenant)).toContain('small');
  });

  it('gives a latecomer no more than its share', async () => {
    await addMany('a', 200);
    await takeSingly(100);
    await addMany('late', 100);
    const starts = startsByTenant(await takeSingly(40));
    expect(Math.abs((starts['a'] ?? 0) - (starts['late'] ?? 0))).toBeLessThanOrEqual(2);
  });

  it('lets nobody gain by leaving and coming back', async () => {
    await addMany('steady', 100);
    const starts = { steady: 0, hopper: 0 };
    for (let i = 0; i < 60; i += 1) {
      // The hopper has one task at a time: its lane is empty after each of its turns.
      const [overview] = await subject.queue.overview([subject.name]);
      if (overview?.types['hop']?.pending !== 1) await subject.addOne({ tenant: 'hopper', type: 'hop' });
      const { tenant } = await subject.takeOne();
      starts[tenant as 'steady' | 'hopper'] += 1;
    }
    expect(Math.abs(starts.steady - starts.hopper)).toBeLessThanOrEqual(2);
  });

  it('lets nobody gain by cancelling the rest and coming back', async () => {
    const [, second] = await addMany('a', 2);
    await addMany('b', 2);
    expect(keysOf(await takeSingly(1))).toEqual(['a1']);
    await subject.cancel(second?.id ?? '');
    await subject.add({ tenant: 'a', key: 'again' });
    expect(keysOf(await takeSingly(3))).toEqual(['b1', 'again', 'b2']);
  });

  needs('ttl').it.each(['promote', 'lease'] as const)(
    'lets nobody gain by what a %s finds expired',
    async (when) => {
      await subject.add({ tenant: 'a' }, { tenant: 'a', ttlMs: 10 });
      await takeSingly(1);
      subject.clock.advance(10);
      if (when === 'promote') await subject.queue.promote(subject.name);
      else expect(await subject.take(1)).toEqual([]);
      await subject.add({ tenant: 'a', key: 'again' }, { tenant: 'b', key: 'b1' });
      expect(keysOf(await takeSingly(2))).toEqual(['b1', 'again']);
    },
  );

  it('owes a latecomer nothing for what a tenant took while it was alone', async () => {
    await addMany('a', 500);
    await subject.take(500);
    await subject.add(...['x', 'y', 'z'].map((key) => ({ tenant: 'a', key })));
    await addMany('b', 3);
    expect(keysOf(await takeSingly(6))).toEqual(['b1', 'x', 'b2', 'y', 'b3', 'z']);
  });

  it('keeps the shares of each priority apart', async () => {
    await subject.add(...Array.from({ length: 20 }, () => ({ tenant: 'a', priority: 5 as const })));
    await takeSingly(20);
    await addMany('a', 3);
    await addMany('b', 3);
    expect(keysOf(await takeSingly(4))).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  it('follows a weight that changes while tasks wait', async () => {
    await addMany('a', 100);
    await addMany('b', 100);
    await takeSingly(10);
    await subject.configureTenant('b', { weight: 3 });
    const tripled = startsByTenant(await takeSingly(40));
    expect(Math.abs((tripled['b'] ?? 0) - 30)).toBeLessThanOrEqual(3);
    await subject.configureTenant('b', { weight: 1 });
    const equal = startsByTenant(await takeSingly(40));
    expect(Math.abs((equal['b'] ?? 0) - 20)).toBeLessThanOrEqual(3);
  });

  it('stays fair among very many tenants', async () => {
    const tenants = Array.from({ length: 500 }, (_, index) => `tenant-${index}`);
    await subject.add(...tenants.flatMap((tenant) => [{ tenant }, { tenant }]));
    const first: LeasedTask[] = [];
    while (first.length < 500) first.push(...(await subject.take(500 - first.length)));
    expect(new Set(first.map(({ tenant }) => tenant)).size).toBe(500);
  });

  it('is not disturbed by tenants whose tasks were cancelled', async () => {
    const cancelled = await addMany('a', 10);
    await addMany('b', 2);
    await addMany('c', 2);
    await subject.queue.cancel(cancelled.map(({ id }) => id));
    expect(keysOf(await takeSingly(4))).toEqual(['b1', 'c1', 'b2', 'c2']);
    expect(await subject.lease(1)).toEqual({ tasks: [], more: false });
  });

  it.each([0, -1, 1.5, NaN, LIMITS.weightMax + 1])('refuses a weight of %d', async (weight) => {
    await expect(subject.configureTenant('a', { weight })).rejects.toMatchObject({
      code: 'invalid-request',
      data: { pointer: '/weight' },
    });
  });

  it('takes a weight for a tenant and a queue that have no tasks yet', async () => {
    await subject.configureTenant('a', { weight: 2 });
    await subject.configureTenant('a', { weight: 2 });
    await addMany('a', 4);
    await addMany('b', 4);
    expect(keysOf(await takeSingly(6))).toEqual(['a1', 'b1', 'a2', 'a3', 'b2', 'a4']);
  });

  it('has a weight for tenants that have none of their own', async () => {
    await subject.configure({ tenants: { weight: 2 } });
    await subject.configureTenant('b', { weight: 1 });
    await addMany('a', 4);
    await addMany('b', 4);
    expect(keysOf(await takeSingly(6))).toEqual(['a1', 'b1', 'a2', 'a3', 'b2', 'a4']);
  });
}
