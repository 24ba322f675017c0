import { LIMITS } from '../../core/limits.js';
import type { LeaseRequest } from '../../core/ports/consumer.js';
import { needs } from './needs.js';
import { keysOf, SHORT_MS, useSubject, type Setup } from './subject.js';

export function describeStealing(setup: Setup): void {
  const subject = useSubject(setup);
  const own = (...tenants: string[]): Partial<LeaseRequest> => ({ tenants, steal: false });

  needs('tenants').describe('tenants that a worker names', () => {
    it('are served before all others, whatever the priority of those', async () => {
      await subject.addOf('a', 2, { priority: 1 });
      await subject.addOf('b', 2, { priority: 6 });
      expect(await subject.keys(4, { tenants: ['a'] })).toEqual(['a1', 'a2', 'b1', 'b2']);
    });

    it('are served by priority among themselves', async () => {
      await subject.addOf('a', 2, { priority: 1 });
      await subject.addOf('b', 1, { priority: 2 });
      await subject.add({ key: 'a6', tenant: 'a', priority: 6 });
      expect(await subject.keys(4, { tenants: ['a', 'b'] })).toEqual(['a6', 'b1', 'a1', 'a2']);
    });

    it('take turns, in the order of the list at first', async () => {
      for (const tenant of ['a', 'b', 'c']) await subject.addOf(tenant, 2);
      expect(await subject.keys(6, own('c', 'a', 'b'))).toEqual(['c1', 'a1', 'b1', 'c2', 'a2', 'b2']);
    });

    it('take turns over several leases, the one served least recently first', async () => {
      for (const tenant of ['a', 'b', 'c']) await subject.addOf(tenant, 2);
      const keys = [
        ...(await subject.keysSingly(2, own('a', 'b', 'c'))),
        ...(await subject.keysSingly(4, own('b', 'a', 'c'))),
      ];
      expect(keys).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2']);
    });

    it('come before those served so earlier where they never were', async () => {
      await subject.addOf('a', 2);
      expect(await subject.keys(1, own('a'))).toEqual(['a1']);
      await subject.addOf('b', 1);
      expect(await subject.keys(2, own('a', 'b'))).toEqual(['b1', 'a2']);
    });

    it('have as many tasks in a turn as their weight', async () => {
      await subject.configureTenant('a', { weight: 2 });
      await subject.addOf('a', 4);
      await subject.addOf('b', 3);
      expect(await subject.keys(7, own('a', 'b'))).toEqual(['a1', 'a2', 'b1', 'a3', 'a4', 'b2', 'b3']);
    });

    it('remember a turn from one priority to the other', async () => {
      await subject.addOf('a', 1, { priority: 6 });
      await subject.add({ key: 'a-low', tenant: 'a' }, { key: 'b-low', tenant: 'b' });
      expect(await subject.keys(3, own('a', 'b'))).toEqual(['a1', 'b-low', 'a-low']);
    });

    it('have had no turn where they were served as everybody is', async () => {
      await subject.addOf('a', 2);
      await subject.addOf('b', 2);
      expect(await subject.keys(2)).toEqual(['a1', 'b1']);
      expect(await subject.keys(1, own('b'))).toEqual(['b2']);
      await subject.add({ key: 'b3', tenant: 'b' });
      expect(await subject.keys(2, own('b', 'a'))).toEqual(['a2', 'b3']);
    });

    it('have had no turn where they could start nothing', async () => {
      await subject.addOf('a', 1);
      await subject.queue.pause(subject.name, 'a');
      expect(await subject.keys(1, own('a'))).toEqual([]);
      await subject.queue.resume(subject.name, 'a');
      await subject.addOf('b', 1);
      expect(await subject.keys(2, own('a', 'b'))).toEqual(['a1', 'b1']);
    });

    it('may be named twice, which means nothing', async () => {
      await subject.addOf('a', 2);
      await subject.addOf('b', 2);
      expect(await subject.keys(4, own('a', 'b', 'a', 'a'))).toEqual(['a1', 'b1', 'a2', 'b2']);
    });

    it('are charged nothing of their fair share for it', async () => {
      await subject.addOf('a', 6);
      await subject.addOf('b', 3);
      expect(await subject.keys(3, own('a'))).toEqual(['a1', 'a2', 'a3']);
      expect(await subject.keys(6)).toEqual(['a4', 'b1', 'a5', 'b2', 'a6', 'b3']);
    });

    it('come back with the share they had where all they had was served so', async () => {
      await subject.addOf('a', 2);
      await subject.addOf('b', 4);
      expect(await subject.keys(2)).toEqual(['a1', 'b1']);
      expect(await subject.keys(1, own('a'))).toEqual(['a2']);
      await subject.add({ key: 'a3', tenant: 'a' }, { key: 'a4', tenant: 'a' });
      expect(await subject.keys(4)).toEqual(['a3', 'b2', 'a4', 'b3']);
    });

    needs('concurrency-limits', 'rate-limits').it(
      'are held to their concurrency and their rate',
      async () => {
        await subject.configureTenant('a', { concurrency: 1 });
        await subject.configureTenant('b', { rate: { limit: 1, perMs: 1_000, burst: 2 } });
        await subject.addOf('a', 3);
        await subject.addOf('b', 3);
        const lease = await subject.lease(9, own('a', 'b'));
        expect(keysOf(lease.tasks)).toEqual(['a1', 'b1', 'b2']);
        expect(lease).toMatchObject({ more: false, nextDueInMs: 1_000 });
      },
    );

    needs('concurrency-limits').it("are held to the queue's concurrency and rate", async () => {
      await subject.configure({ concurrency: 2 });
      await subject.addOf('a', 3);
      expect(await subject.keys(9, own('a'))).toEqual(['a1', 'a2']);
    });

    needs('ttl').it('are passed over by what has expired', async () => {
      await subject.addOf('a', 2, { ttlMs: 1 });
      await subject.add({ key: 'a3', tenant: 'a' });
      subject.clock.advance(1);
      expect(await subject.keys(1, own('a'))).toEqual(['a3']);
    });
  });

  needs('tenants').describe('steal', () => {
    const prepare = async () => {
      await subject.addOf('a', 1);
      await subject.addOf('b', 2, { priority: 1 });
      await subject.addOf('c', 2, { priority: 6 });
    };

    it.each([[undefined], [true]])('%s serves everybody afterwards', async (steal) => {
      await prepare();
      expect(await subject.keys(9, { tenants: ['a'], steal })).toEqual(['a1', 'c1', 'c2', 'b1', 'b2']);
    });

    it('false serves nobody else', async () => {
      await prepare();
      expect(await subject.lease(9, own('a'))).toMatchObject({ tasks: [{ tenant: 'a' }], more: false });
      expect(await subject.keys(9, own('a'))).toEqual([]);
    });

    it('false without tenants takes nothing', async () => {
      await prepare();
      expect(await subject.lease(9, { steal: false })).toEqual({ tasks: [], more: false });
      expect(await subject.lease(9, { tenants: [], steal: false })).toEqual({ tasks: [], more: false });
    });

    it('of a list serves those afterwards, by turns', async () => {
      await prepare();
      await subject.addOf('d', 2);
      expect(await subject.keys(9, { tenants: ['a'], steal: ['d', 'b'] })).toEqual([
        'a1',
        'd1',
        'd2',
        'b1',
        'b2',
      ]);
    });

    it('of a list without tenants serves only those', async () => {
      await prepare();
      expect(await subject.keys(9, { steal: ['b'] })).toEqual(['b1', 'b2']);
    });

    it('takes nothing from others while the named ones have enough', async () => {
      await subject.addOf('a', 3);
      await subject.addOf('b', 3, { priority: 6 });
      expect(await subject.keysSingly(3, { tenants: ['a'] })).toEqual(['a1', 'a2', 'a3']);
    });

    it('counts for the shares of the others as ever', async () => {
      await subject.addOf('a', 1);
      await subject.addOf('b', 4);
      await subject.addOf('c', 4);
      expect(await subject.keys(4, { tenants: ['a'] })).toEqual(['a1', 'b1', 'c1', 'b2']);
      expect(await subject.keys(3)).toEqual(['c2', 'b3', 'c3']);
    });
  });

  needs('tenants').describe('more', () => {
    it('speaks of the named tenants where only they are served', async () => {
      await subject.addOf('a', 2);
      await subject.addOf('b', 1);
      await subject.addOf('c', 1);
      expect(await subject.lease(1, own('a'))).toMatchObject({ tasks: [{}], more: true });
      expect(await subject.lease(1, own('a'))).toMatchObject({ tasks: [{}], more: false });
      expect((await subject.lease(0, { tenants: ['a'], steal: ['b'] })).more).toBe(true);
      expect((await subject.lease(0, own('a'))).more).toBe(false);
    });

    it('speaks of everybody where everybody is served', async () => {
      await subject.addOf('a', 1);
      await subject.addOf('b', 1);
      expect(await subject.lease(1, { tenants: ['a'] })).toMatchObject({ tasks: [{}], more: true });
    });
  });

  needs('tenants', 'repeatable-leases').it('is the same for a repeated request', async () => {
    await subject.addOf('a', 3);
    const first = await subject.lease(2, { ...own('a'), requestId: 'r1' });
    expect(await subject.lease(2, { ...own('a'), requestId: 'r1' })).toEqual(first);
    await subject.addOf('b', 1);
    expect(await subject.keys(2, own('a', 'b'))).toEqual(['b1', 'a3']);
  });

  it.each<[string, Partial<LeaseRequest>, string]>([
    ['a tenant with a space', { tenants: ['a', 'a b'] }, '/tenants/1'],
    ['a tenant to steal from with a tilde', { steal: ['~'] }, '/steal/0'],
    ['too many tenants', { tenants: manyTenants(LIMITS.leaseTenantsMax + 1) }, '/tenants'],
    ['too many tenants to steal from', { steal: manyTenants(LIMITS.leaseTenantsMax + 1) }, '/steal'],
  ])('refuses %s', async (_, request, pointer) => {
    await expect(subject.lease(1, request)).rejects.toMatchObject({ kind: 'invalid', data: { pointer } });
  });

  needs('tenants').it('takes as many tenants as may be named', async () => {
    await subject.addOne({ tenant: 't99' });
    const tenants = manyTenants(LIMITS.leaseTenantsMax);
    expect(await subject.take(1, { tenants, steal: tenants })).toHaveLength(1);
  });

  needs('tenants').describe('waiting for work of named tenants', () => {
    const asked = async (...tenants: string[]) => {
      await subject.lease(1, own(...tenants));
      await subject.silence(tenants);
      await subject.silence();
    };

    it('ends when there is work of one', async () => {
      await asked('a', 'b');
      const waiting = subject.wait(['a', 'b']);
      await subject.addOne({ tenant: 'b' });
      expect(await waiting).toBe(subject.name);
    });

    it('ends at once where it came before', async () => {
      await asked('a');
      await subject.addOne({ tenant: 'a' });
      expect(await subject.wait(['a'])).toBe(subject.name);
    });

    it('is not ended by work of others', async () => {
      await asked('a');
      await subject.addOne({ tenant: 'b' });
      expect(await subject.wait(['a'], SHORT_MS)).toBeUndefined();
    });

    it('takes no token from those who serve everybody', async () => {
      await asked('a');
      await subject.addOne({ tenant: 'a' });
      expect(await subject.wait(['a'])).toBe(subject.name);
      expect(await subject.wait()).toBe(subject.name);
    });

    it('goes on with the lease that leaves work of one behind', async () => {
      await asked('a', 'b');
      await subject.addOf('b', 2);
      await subject.wait(['a', 'b']);
      await subject.lease(1, own('a', 'b'));
      expect(await subject.wait(['a', 'b'])).toBe(subject.name);
      await subject.lease(1, own('a', 'b'));
      expect(await subject.wait(['a', 'b'], SHORT_MS)).toBeUndefined();
    });

    it('is heard of for those it would steal from', async () => {
      await subject.lease(1, { tenants: ['a'], steal: ['b'] });
      await subject.addOne({ tenant: 'b' });
      expect(await subject.wait(['a', 'b'])).toBe(subject.name);
    });

    needs('concurrency-limits').it.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
      [
        'the queue is resumed',
        () => subject.queue.pause(subject.name),
        () => subject.queue.resume(subject.name),
      ],
      [
        'the tenant is resumed',
        () => subject.queue.pause(subject.name, 'a'),
        () => subject.queue.resume(subject.name, 'a'),
      ],
      [
        'settings change',
        () => subject.configure({ tenants: { concurrency: 1 } }),
        () => subject.configure({}),
      ],
    ])('ends when %s', async (_, hold, letGo) => {
      await hold();
      await subject.addOf('a', 2);
      await subject.lease(2, own('a'));
      await subject.silence(['a']);
      const waiting = subject.wait(['a']);
      await letGo();
      expect(await waiting).toBe(subject.name);
    });

    needs('concurrency-limits').it('ends when the queue has room again', async () => {
      await subject.configure({ concurrency: 1 });
      const leased = await subject.start({ tenant: 'b' });
      await subject.addOf('a', 1);
      await asked('a');
      const waiting = subject.wait(['a']);
      await subject.complete(leased);
      expect(await waiting).toBe(subject.name);
    });

    needs('fifo').it('ends for a FIFO queue when there is work of anyone', async () => {
      await subject.configure({ mode: 'fifo' });
      await asked('a');
      const waiting = subject.wait(['a']);
      await subject.addOne({ tenant: 'b' });
      expect(await waiting).toBe(subject.name);
      expect(await subject.take(1, own('a'))).toHaveLength(1);
    });
  });

  needs('tenants').describe('tenants that strangers name', () => {
    it('have their last turns remembered as far as these are many', async () => {
      const names = manyTenants(LIMITS.servedTenantsKept + 2);
      await subject.add(...names.slice(0, 500).map((tenant) => ({ tenant })));
      await subject.add(...names.slice(500).map((tenant) => ({ tenant })));
      for (const some of slices(names)) while ((await subject.lease(some.length, own(...some))).more);
      await subject.add(...['t0', 't1'].map((tenant) => ({ key: tenant, tenant })));
      // The turns of the first two are forgotten, so that the order of the list is theirs.
      expect(await subject.keys(2, own('t1', 't0'))).toEqual(['t1', 't0']);
    });

    it('are told of work while they are not too many, and are to look again where they are', async () => {
      for (const some of slices(manyTenants(LIMITS.watchedTenantsMax - 2))) {
        expect((await subject.lease(1, own(...some))).nextDueInMs).toBeUndefined();
      }
      expect((await subject.lease(1, own('a', 'b'))).nextDueInMs).toBe(LIMITS.unwatchedLookMs);
      expect((await subject.lease(1, own('a'))).nextDueInMs).toBeUndefined();
      expect((await subject.lease(1, own('b'))).nextDueInMs).toBe(LIMITS.unwatchedLookMs);
      expect((await subject.lease(1, own('t1', 'a'))).nextDueInMs).toBeUndefined();
      await subject.addOne({ tenant: 't1' });
      expect(await subject.wait(['t1'])).toBe(subject.name);
    });

    it('make room once they were not asked for in a long time', async () => {
      for (const some of slices(manyTenants(LIMITS.watchedTenantsMax - 1))) {
        await subject.lease(1, own(...some));
      }
      subject.clock.advance(LIMITS.watchedMs);
      expect((await subject.lease(1, own('a'))).nextDueInMs).toBeUndefined();
      await subject.addOne({ tenant: 'a' });
      expect(await subject.wait(['a'])).toBe(subject.name);
    });
  });
}

function manyTenants(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `t${i}`);
}

function slices(names: readonly string[]): string[][] {
  const size = LIMITS.leaseTenantsMax;
  return Array.from({ length: Math.ceil(names.length / size) }, (_, i) =>
    names.slice(i * size, (i + 1) * size),
  );
}
