import { LIMITS } from '../../core/limits.js';
import type { PriorityPolicy } from '../../core/settings.js';
import type { Priority } from '../../core/task.js';
import { needs } from './needs.js';
import { useSubject, type Setup } from './subject.js';

export function describePriorities(setup: Setup): void {
  const subject = useSubject(setup);
  const policy = (priority: PriorityPolicy) => subject.configure({ priority });
  /** For 6 and 2, `6.1` and `6.2`. */
  const addAt = (priority: Priority, count: number, from = 1) =>
    subject.add(
      ...Array.from({ length: count }, (_, i) => ({
        priority,
        key: `${priority}.${from + i}`,
        tenant: `t${priority}`,
      })),
    );

  needs('tenants').describe('strict', () => {
    const bounds = { 1: null, 2: null, 3: 100, 4: 50, 5: null, 6: null } as const;

    it('serves the highest first, as without any policy', async () => {
      await policy({ policy: 'strict' });
      for (const priority of [3, 6, 1, 2, 5, 4] as const) await addAt(priority, 1);
      expect(await subject.keys(9)).toEqual(['6.1', '5.1', '4.1', '3.1', '2.1', '1.1']);
    });

    it('alternates with a priority whose oldest task has waited beyond its bound', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await addAt(3, 3);
      await addAt(6, 5);
      subject.clock.advance(101);
      expect(await subject.keys(9)).toEqual(['3.1', '6.1', '3.2', '6.2', '3.3', '6.3', '6.4', '6.5']);
    });

    it('keeps to the order up to the bound itself', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await addAt(3, 1);
      await addAt(6, 1);
      subject.clock.advance(100);
      expect(await subject.keys(1)).toEqual(['6.1']);
    });

    it.each([1, 2, 3, 9])('alternates the same %d at a time', async (max) => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await addAt(3, 4);
      await addAt(6, 5);
      subject.clock.advance(101);
      const keys: string[] = [];
      while (keys.length < 9) keys.push(...(await subject.keys(max)));
      expect(keys).toEqual(['3.1', '6.1', '3.2', '6.2', '3.3', '6.3', '3.4', '6.4', '6.5']);
    });

    it('is by bound for the priority that is furthest beyond its own', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await addAt(3, 2);
      await addAt(6, 3);
      subject.clock.advance(60);
      await addAt(4, 2);
      subject.clock.advance(100);
      // 60 beyond the bound of 3, 50 beyond that of 4.
      expect(await subject.keys(4)).toEqual(['3.1', '6.1', '3.2', '6.2']);
      expect(await subject.keys(9)).toEqual(['4.1', '6.3', '4.2']);
    });

    it('goes to the higher of two that are equally far beyond', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await addAt(3, 1);
      subject.clock.advance(50);
      await addAt(4, 1);
      await addAt(6, 2);
      subject.clock.advance(100);
      expect(await subject.keys(9)).toEqual(['4.1', '6.1', '3.1', '6.2']);
    });

    it('stays with the highest where that is furthest beyond its own', async () => {
      await policy({ policy: 'strict', maxWaitMs: { ...bounds, 6: 0 } });
      await addAt(3, 2);
      await addAt(6, 2);
      subject.clock.advance(150);
      expect(await subject.keys(9)).toEqual(['6.1', '6.2', '3.1', '3.2']);
    });

    it('looks at the heads of all lanes', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await subject.addOne({ key: 'old', tenant: 'z', priority: 3 });
      subject.clock.advance(101);
      await subject.addOne({ key: 'new', tenant: 'a', priority: 3 });
      await addAt(6, 2);
      // By bound it is the turn of the priority; whose in it, is as ever.
      expect(await subject.keys(9)).toEqual(['new', '6.1', 'old', '6.2']);
    });

    it('counts the wait of a task that was given back from before its lease', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      const leased = await subject.start({ key: 'back', priority: 3 });
      subject.clock.advance(101);
      await addAt(6, 2);
      await subject.release(leased);
      expect(await subject.keys(9)).toEqual(['back', '6.1', '6.2']);
    });

    it('counts the wait of a scheduled task from when it became pending', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await subject.addOne({ key: 'due', priority: 3, delayMs: 200 });
      await addAt(6, 1);
      subject.clock.advance(200);
      await subject.queue.promote(subject.name);
      subject.clock.advance(100);
      expect(await subject.keys(9)).toEqual(['6.1', 'due']);
    });

    it('does not wait for what may start nothing', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await addAt(3, 1);
      await addAt(6, 2);
      await subject.queue.pause(subject.name, 't3');
      subject.clock.advance(101);
      expect(await subject.keys(9)).toEqual(['6.1', '6.2']);
    });

    needs('concurrency-limits').it(
      'does not wait, in any priority, for a tenant that was found to be at its limit',
      async () => {
        await subject.configure({
          priority: { policy: 'strict', maxWaitMs: { 1: 0, 3: 10, 6: null } },
          tenants: { concurrency: 1 },
        });
        await subject.start({ tenant: 'A' });
        await subject.add({ tenant: 'A', priority: 1 }, { tenant: 'A', priority: 3 });
        subject.clock.advance(50);
        await subject.add(
          { key: 'low', tenant: 'a', priority: 1 },
          { key: 'middle', tenant: 'b', priority: 3 },
        );
        await addAt(6, 1);
        subject.clock.advance(51);
        // By A's tasks it would be the turn of 1 and then of 3; without them it is that of 1.
        expect(await subject.keys(1)).toEqual(['low']);
      },
    );

    needs('ttl').it('does not put a priority in front for a task that has expired', async () => {
      await policy({ policy: 'strict', maxWaitMs: bounds });
      await subject.addOne({ key: 'expired', tenant: 't3', ttlMs: 1 });
      subject.clock.advance(200);
      await addAt(3, 1);
      await addAt(6, 1);
      expect(await subject.keys(2)).toEqual(['6.1', '3.1']);
      expect(await subject.stateOf(subject.id('expired'))).toBe('expired');
    });

    it('has no bound where it is null, and its default where it is left out', async () => {
      await policy({ policy: 'strict', maxWaitMs: { 5: null } });
      await addAt(4, 1);
      await addAt(5, 1);
      await addAt(6, 2);
      subject.clock.advance(LIMITS.maxWaitMsByPriority[3] + 1);
      expect(await subject.keys(9)).toEqual(['6.1', '6.2', '4.1', '5.1']);
    });

    it.each([1, 2, 3, 4, 5] as const)('has a default bound for priority %d', async (priority) => {
      const bound = LIMITS.maxWaitMsByPriority[priority - 1] ?? 0;
      await subject.configure({ priority: { policy: 'strict', maxWaitMs: { 6: null } } });
      await addAt(priority, 2);
      await addAt(6, 3);
      subject.clock.advance(bound);
      expect(await subject.keys(1)).toEqual(['6.1']);
      subject.clock.advance(1);
      expect(await subject.keysSingly(3)).toEqual([`${priority}.1`, '6.2', `${priority}.2`]);
    });

    it('follows a bound that changes while tasks wait', async () => {
      await policy({ policy: 'strict', maxWaitMs: { 1: null } });
      await addAt(1, 1);
      await addAt(2, 2);
      subject.clock.advance(1);
      expect(await subject.keys(1)).toEqual(['2.1']);
      await policy({ policy: 'strict', maxWaitMs: { 1: 0 } });
      expect(await subject.keys(1)).toEqual(['1.1']);
    });
  });

  needs('tenants').describe('weighted', () => {
    const weights = { 1: 1, 2: 1, 3: 2, 4: 1, 5: 1, 6: 4 };

    it('shares in proportion to the weights', async () => {
      await policy({ policy: 'weighted', weights });
      await addAt(1, 10);
      await addAt(3, 10);
      await addAt(6, 10);
      expect(await subject.keys(7)).toEqual(['6.1', '3.1', '1.1', '6.2', '6.3', '3.2', '6.4']);
    });

    it.each([1, 2, 5, 30])('gives the same order %d at a time', async (max) => {
      await policy({ policy: 'weighted', weights });
      for (const priority of [1, 3, 6] as const) await addAt(priority, 10);
      const keys: string[] = [];
      while (keys.length < 30) keys.push(...(await subject.keys(max)));
      const counts = [1, 3, 6].map((p) => keys.slice(0, 14).filter((key) => key.startsWith(`${p}.`)).length);
      expect(counts).toEqual([2, 4, 8]);
      expect(keys.slice(0, 7)).toEqual(['6.1', '3.1', '1.1', '6.2', '6.3', '3.2', '6.4']);
    });

    it('has weights for those that are left out', async () => {
      await policy({ policy: 'weighted' });
      await addAt(5, 40);
      await addAt(6, 40);
      const keys = await subject.keys(30);
      expect(keys.filter((key) => key.startsWith('6.'))).toHaveLength(20);
    });

    it('owes a priority nothing for the time in which it had no tasks', async () => {
      await policy({ policy: 'weighted', weights });
      await addAt(6, 30);
      await subject.take(20);
      await addAt(3, 5);
      expect(await subject.keys(4)).toEqual(['3.1', '6.21', '6.22', '3.2']);
    });

    it('shares among the tenants of a priority as ever', async () => {
      await policy({ policy: 'weighted', weights });
      for (const tenant of ['a', 'b']) await subject.addOf(tenant, 2);
      await addAt(1, 2);
      expect(await subject.keys(9)).toEqual(['a1', '1.1', 'b1', 'a2', '1.2', 'b2']);
    });
  });

  describe('off', () => {
    needs('tenants').it('serves in the order of arrival, by tenant', async () => {
      await policy({ policy: 'off' });
      await subject.add(
        { key: 'a1', tenant: 'a', priority: 1 },
        { key: 'a2', tenant: 'a', priority: 6 },
        { key: 'b1', tenant: 'b', priority: 4 },
      );
      expect(await subject.keys(9)).toEqual(['a1', 'b1', 'a2']);
    });

    needs('statistics').it('leaves a task its priority', async () => {
      await policy({ policy: 'off' });
      const task = await subject.addOne({ priority: 6 });
      expect(task.priority).toBe(6);
      expect((await subject.overview()).priorities[6]).toMatchObject({ pending: 1 });
      expect(await subject.takeOne()).toMatchObject({ priority: 6 });
    });

    it('holds for tasks that become pending from then on', async () => {
      await subject.add({ key: 'low', priority: 1 }, { key: 'high', priority: 5 });
      await policy({ policy: 'off' });
      await subject.add({ key: 'a', priority: 1 }, { key: 'b', priority: 6 });
      expect(await subject.keys(9)).toEqual(['high', 'a', 'b', 'low']);
    });

    it('holds also for tasks that are given back or due after that', async () => {
      const leased = await subject.start({ key: 'back', priority: 1 });
      await subject.addOne({ key: 'due', priority: 6, delayMs: 10 });
      await policy({ policy: 'off' });
      await subject.addOne({ key: 'a' });
      await subject.release(leased);
      subject.clock.advance(10);
      expect(await subject.keys(9)).toEqual(['back', 'a', 'due']);
    });

    it('ends for tasks that become pending after it', async () => {
      await policy({ policy: 'off' });
      await subject.add({ key: 'a', priority: 1 });
      await policy({ policy: 'strict' });
      await subject.add({ key: 'b', priority: 2 }, { key: 'c', priority: 6 });
      expect(await subject.keys(9)).toEqual(['c', 'a', 'b']);
    });
  });
}
