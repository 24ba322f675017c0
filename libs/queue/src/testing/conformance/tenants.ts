import { LIMITS } from '../../core/limits.js';
import { pagesOf } from '../../core/pages.js';
import type { LeasedTask } from '../../core/ports/consumer.js';
import type { TenantOverview } from '../../core/ports/inspector.js';
import { needs } from './needs.js';
import { useSubject, type Setup } from './subject.js';

const MINUTE_MS = 60_000;

export function describeTenants(setup: Setup): void {
  const subject = useSubject(setup);
  const noWaits = Array.from({ length: LIMITS.waitBoundsMs.length + 1 }, () => 0);
  /** Counts of the classes that have any. */
  const counted = (waits: readonly number[]) =>
    Object.fromEntries(waits.flatMap((count, index) => (count > 0 ? [[index, count]] : [])));

  describe('what is known of one', () => {
    it('is nothing where it has never had a task', async () => {
      const nothing = {
        tenant: 'a',
        settings: {},
        paused: false,
        backlog: 0,
        running: 0,
        startedThisMinute: 0,
        startedLastMinute: 0,
        waits: noWaits,
      };
      expect(await subject.tenant('a')).toEqual(nothing);
      await subject.addOne({ tenant: 'b' });
      expect(await subject.tenant('a')).toEqual(nothing);
    });

    needs('stealing').it('counts what waits and what runs', async () => {
      await subject.addOf('a', 5);
      await subject.add({ tenant: 'a', delayMs: 5 }, { tenant: 'b' });
      const [one, two] = await subject.take(3, { tenants: ['a'] });
      await subject.complete(one as LeasedTask);
      await subject.fail(two as LeasedTask, { retryInMs: 5 });
      expect(await subject.tenant('a')).toMatchObject({ backlog: 4, running: 1 });
      expect(await subject.tenant('b')).toMatchObject({ backlog: 1, running: 0 });
    });

    it('has the age of its oldest pending task in any priority', async () => {
      await subject.addOne({ tenant: 'a', priority: 1 });
      subject.clock.advance(30);
      await subject.addOne({ tenant: 'b' });
      subject.clock.advance(20);
      await subject.addOne({ tenant: 'a', priority: 6 });
      expect((await subject.tenant('a')).oldestPendingAgeMs).toBe(50);
      expect((await subject.tenant('b')).oldestPendingAgeMs).toBe(20);
      await subject.take(3);
      expect((await subject.tenant('a')).oldestPendingAgeMs).toBeUndefined();
    });

    it('has that age also while it may start nothing', async () => {
      await subject.addOf('a', 1);
      await subject.queue.pause(subject.name, 'a');
      await subject.take(1);
      subject.clock.advance(40);
      expect((await subject.tenant('a')).oldestPendingAgeMs).toBe(40);
    });

    it('counts starts in this minute and in the one before', async () => {
      await subject.addOf('a', 9);
      await subject.take(2);
      subject.clock.advance(MINUTE_MS - 1);
      await subject.take(1);
      expect(await subject.tenant('a')).toMatchObject({ startedThisMinute: 3, startedLastMinute: 0 });
      subject.clock.advance(1);
      await subject.take(4);
      expect(await subject.tenant('a')).toMatchObject({ startedThisMinute: 4, startedLastMinute: 3 });
      subject.clock.advance(MINUTE_MS);
      expect(await subject.tenant('a')).toMatchObject({ startedThisMinute: 0, startedLastMinute: 4 });
      subject.clock.advance(MINUTE_MS);
      expect(await subject.tenant('a')).toMatchObject({ startedThisMinute: 0, startedLastMinute: 0 });
    });
  });

  describe('waiting times', () => {
    const startAfter = async (ms: number, tenant = 'a') => {
      await subject.addOne({ tenant });
      subject.clock.advance(ms);
      return subject.takeOne();
    };

    needs('statistics').it.each([
      ...LIMITS.waitBoundsMs.map((bound, index) => [bound, index]),
      ...LIMITS.waitBoundsMs.map((bound, index) => [bound + 1, index + 1]),
      [0, 0],
      [400 * 86_400_000, LIMITS.waitBoundsMs.length],
    ])('of %d ms are counted in class %d', async (ms, index) => {
      await startAfter(ms as number);
      const expected = noWaits.map((_, each) => (each === index ? 1 : 0));
      expect((await subject.tenant('a')).waits).toEqual(expected);
      expect((await subject.overview()).waits).toEqual(expected);
    });

    it('are counted from when a task became pending', async () => {
      await subject.addOne({ tenant: 'a', delayMs: 1_000 });
      subject.clock.advance(1_000);
      await subject.queue.promote(subject.name);
      subject.clock.advance(20);
      const leased = await subject.takeOne();
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 3: 1 });
      await subject.fail(leased, { retryInMs: 0 });
      await subject.takeOne();
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 0: 1, 3: 1 });
    });

    it('of a task that is given back begin before its lease', async () => {
      const leased = await startAfter(20);
      subject.clock.advance(20);
      await subject.release(leased);
      await subject.takeOne();
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 3: 1, 4: 1 });
    });

    it('are no less than none where the clock went back', async () => {
      await subject.addOne({ tenant: 'a' });
      subject.clock.advance(-1_000);
      await subject.takeOne();
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 0: 1 });
    });

    it('are not counted again for a repeated request', async () => {
      await subject.addOne({ tenant: 'a' });
      await subject.take(1, { requestId: 'r1' });
      await subject.take(1, { requestId: 'r1' });
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 0: 1 });
    });

    needs('statistics').it('are counted by tenant, and for the queue in all', async () => {
      await startAfter(0, 'a');
      await startAfter(20, 'b');
      await startAfter(20, 'b');
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 0: 1 });
      expect(counted((await subject.tenant('b')).waits)).toEqual({ 3: 2 });
      expect(counted((await subject.overview()).waits)).toEqual({ 0: 1, 3: 2 });
    });

    needs('statistics').it('of the queue are those of the minutes shown', async () => {
      await startAfter(0);
      subject.clock.advance(30 * MINUTE_MS);
      await startAfter(0);
      subject.clock.advance(29 * MINUTE_MS);
      expect(counted((await subject.overview()).waits)).toEqual({ 0: 2 });
      subject.clock.advance(MINUTE_MS);
      expect(counted((await subject.overview()).waits)).toEqual({ 0: 1 });
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 0: 2 });
    });

    it('of a tenant are forgotten once it has had nothing to do for a day', async () => {
      if (!subject.forgetsByClock) return;
      const leased = await startAfter(0);
      subject.clock.advance(2 * LIMITS.idleTenantKeptMs);
      await subject.complete(leased);
      subject.clock.advance(LIMITS.idleTenantKeptMs - 1);
      expect(counted((await subject.tenant('a')).waits)).toEqual({ 0: 1 });
      subject.clock.advance(1);
      expect((await subject.tenant('a')).waits).toEqual(noWaits);
    });
  });

  describe('the list', () => {
    const listAll = async (limit = 100): Promise<TenantOverview[]> => {
      const items: TenantOverview[] = [];
      for await (const page of pagesOf((cursor) => subject.queue.tenants(subject.name, limit, cursor))) {
        expect(page.length).toBeLessThanOrEqual(limit);
        items.push(...page);
      }
      return items;
    };
    const names = async (limit?: number) => (await listAll(limit)).map(({ tenant }) => tenant);

    it('is empty for a queue nobody knows', async () => {
      expect(await subject.queue.tenants(subject.name, 10)).toEqual({ items: [] });
    });

    it('has those with many open tasks first, in classes, and inside a class by name downwards', async () => {
      await subject.addOf('a', 3);
      await subject.addOf('b', 16);
      await subject.addOf('B', 1);
      await subject.addOf('c', 1);
      await subject.addOf('d', 4);
      await subject.addOf('e', 15);
      expect(await names()).toEqual(['b', 'e', 'd', 'c', 'a', 'B']);
    });

    needs('stealing').it('counts what waits in any way, and what runs', async () => {
      await subject.add(
        { tenant: 'a' },
        { tenant: 'a', delayMs: 5 },
        { tenant: 'a' },
        { tenant: 'b' },
        { tenant: 'c' },
      );
      const [first, second] = await subject.take(2, { tenants: ['a'] });
      expect(await names()).toEqual(['c', 'b', 'a']);
      await subject.addOf('a', 1);
      expect(await names()).toEqual(['a', 'c', 'b']);
      await subject.complete(first as LeasedTask);
      await subject.release(second as LeasedTask);
      expect(await names()).toEqual(['c', 'b', 'a']);
    });

    needs('concurrency-limits').it('shows of each what is known of it', async () => {
      await subject.addOf('a', 3);
      await subject.configureTenant('a', { concurrency: 2 });
      await subject.take(5);
      subject.clock.advance(10);
      expect(await listAll()).toEqual([await subject.tenant('a')]);
      expect(await listAll()).toMatchObject([{ settings: { concurrency: 2 }, backlog: 1, running: 2 }]);
    });

    it('has those that have settings of their own or are paused, also without a task', async () => {
      await subject.configureTenant('set', { weight: 2 });
      await subject.configureTenant('unset', { weight: 2 });
      await subject.configureTenant('unset', {});
      await subject.queue.pause(subject.name, 'paused');
      await subject.queue.pause(subject.name, 'resumed');
      await subject.queue.resume(subject.name, 'resumed');
      await subject.tenant('asked');
      expect(await names()).toEqual(['set', 'paused']);
      await subject.addOf('a', 1);
      expect(await names()).toEqual(['a', 'set', 'paused']);
    });

    needs('ttl').it.each<[string, () => Promise<unknown>]>([
      ['complete', async () => subject.complete(await subject.takeOne())],
      ['fail', async () => subject.fail(await subject.takeOne(), { retryable: false })],
      ['are cancelled', () => subject.cancel(subject.id('a1'))],
      [
        'expire',
        () => {
          subject.clock.advance(100);
          return subject.queue.promote(subject.name);
        },
      ],
      ['are purged', () => subject.queue.purge({ queue: subject.name, state: 'waiting' })],
    ])('no longer has a tenant whose tasks %s', async (_, end) => {
      await subject.addOf('a', 1, { ttlMs: 100 });
      expect(await names()).toEqual(['a']);
      await end();
      expect(await names()).toEqual([]);
    });

    it('keeps a tenant whose tasks are tried again or given back', async () => {
      await subject.addOf('a', 3);
      const [one, two] = await subject.take(3);
      await subject.fail(one as LeasedTask);
      await subject.release(two as LeasedTask);
      await subject.loseLeases();
      expect(await listAll()).toMatchObject([{ tenant: 'a', backlog: 3, running: 0 }]);
    });

    it.each([1, 2, 3, 100])('is the same in pages of %d', async (limit) => {
      const tenants = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
      for (const [index, tenant] of tenants.entries()) await subject.addOf(tenant, 4 ** (index % 3));
      await subject.configureTenant('idle', { weight: 2 });
      expect(await names(limit)).toEqual(['f', 'c', 'e', 'b', 'g', 'd', 'a', 'idle']);
    });

    it.each([0, -1, 1.5, NaN, LIMITS.listLimitMax + 1])('refuses a page of %d', async (limit) => {
      await expect(subject.queue.tenants(subject.name, limit)).rejects.toMatchObject({
        code: 'invalid-request',
        data: { pointer: '/limit' },
      });
    });

    it.each(['nonsense', '', '{}', 'W10', '../..', '\u0000'])('refuses the cursor %j', async (cursor) => {
      await subject.addOf('a', 2);
      await expect(subject.queue.tenants(subject.name, 1, cursor)).rejects.toMatchObject({
        code: 'invalid-cursor',
        kind: 'invalid',
      });
    });
  });

  it('of a queue are told by its overview in sum', async () => {
    await subject.addOf('a', 3);
    await subject.add({ delayMs: 5 });
    await subject.take(1);
    expect(await subject.overview()).toMatchObject({ backlog: 3, paused: false, draining: false });
  });
}
