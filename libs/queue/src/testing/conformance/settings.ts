import type { QueueSettings, TenantSettings } from '../../core/settings.js';
import { needs } from './needs.js';
import { useSubject, type Setup } from './subject.js';

/** Every setting of a tenant, and of a queue, once. */
const TENANT: TenantSettings = {
  weight: 2,
  concurrency: 3,
  rate: { limit: 4, perMs: 1_000, burst: 5 },
  backlog: 6,
};
const SETTINGS: QueueSettings = {
  mode: 'fair',
  priority: { policy: 'strict', maxWaitMs: { 1: null, 2: 0, 6: 10 } },
  concurrency: 7,
  rate: { limit: 8, perMs: 60_000 },
  backlog: 9,
  tenants: TENANT,
};

export function describeSettings(setup: Setup): void {
  const subject = useSubject(setup);
  const settings = () => subject.queue.settings(subject.name);

  it('are none at first', async () => {
    expect(await settings()).toEqual({});
  });

  needs('tenants').it('of a tenant are none at first', async () => {
    expect((await subject.tenant('a')).settings).toEqual({});
  });

  it('may be empty', async () => {
    await subject.configure({});
    expect(await settings()).toEqual({});
  });

  needs('partitions').it('have a number of partitions', async () => {
    await subject.configure({ partitions: 2 });
    expect(await settings()).toEqual({ partitions: 2 });
  });

  needs('tenants', 'priority-policies', 'concurrency-limits', 'rate-limits', 'backlog-limits').it(
    'are kept as they were given',
    async () => {
      await subject.configure(SETTINGS);
      await subject.configureTenant('a', TENANT);
      expect(await settings()).toEqual(SETTINGS);
      expect((await subject.tenant('a')).settings).toEqual(TENANT);
      const another = await subject.another();
      expect(await another.settings(subject.name)).toEqual(SETTINGS);
    },
  );

  needs('priority-policies').it.each<QueueSettings>([
    { priority: { policy: 'weighted', weights: { 1: 1, 6: 1_000 } } },
    { priority: { policy: 'off' } },
  ])('%j are kept as they were given', async (given) => {
    await subject.configure(given);
    expect(await settings()).toEqual(given);
  });

  needs('fifo').it('keep the mode that was given', async () => {
    await subject.configure({ mode: 'fifo' });
    expect(await settings()).toEqual({ mode: 'fifo' });
  });

  needs('tenants', 'priority-policies', 'concurrency-limits', 'rate-limits', 'backlog-limits').it(
    'replace those of before as a whole',
    async () => {
      await subject.configure(SETTINGS);
      await subject.configure({ concurrency: 1 });
      expect(await settings()).toEqual({ concurrency: 1 });
      await subject.configureTenant('a', TENANT);
      await subject.configureTenant('a', {});
      expect((await subject.tenant('a')).settings).toEqual({});
    },
  );

  needs('tenants', 'priority-policies', 'concurrency-limits', 'rate-limits', 'backlog-limits').it(
    'may be given again',
    async () => {
      await subject.addOne();
      await subject.configure(SETTINGS);
      await subject.configure(SETTINGS);
      expect(await settings()).toEqual(SETTINGS);
      expect(await subject.take(9)).toHaveLength(1);
    },
  );

  needs('tenants', 'priority-policies', 'concurrency-limits', 'rate-limits', 'backlog-limits').it(
    'belong to one queue and one tenant',
    async () => {
      await subject.configure(SETTINGS);
      await subject.configureTenant('a', TENANT);
      expect(await subject.queue.settings(`${subject.name}.other`)).toEqual({});
      expect((await subject.tenant('b')).settings).toEqual({});
    },
  );

  it('make a queue known, without a task', async () => {
    await subject.configure({});
    expect(await subject.overview()).toMatchObject({ paused: false, draining: false, backlog: 0, types: {} });
  });

  it.each<[string, unknown, string]>([
    ['an unknown setting', { concurency: 1 }, '/concurency'],
    ['an unknown mode', { mode: 'lifo' }, '/mode'],
  ])('with %s are refused', async (_, given, pointer) => {
    await expect(subject.configure(given as QueueSettings)).rejects.toMatchObject({
      code: 'invalid-request',
      kind: 'invalid',
      data: { pointer },
    });
    expect(await settings()).toEqual({});
  });

  needs('tenants', 'priority-policies', 'concurrency-limits', 'rate-limits').it.each<
    [string, unknown, string]
  >([
    ['no concurrency at all', { concurrency: 0 }, '/concurrency'],
    ['a rate of nothing', { rate: { limit: 0, perMs: 1 } }, '/rate/limit'],
    ['an unknown policy', { priority: { policy: 'random' } }, '/priority/policy'],
    ["a tenant's weight of nothing", { tenants: { weight: 0 } }, '/tenants/weight'],
  ])('with %s are refused, and change nothing', async (_, given, pointer) => {
    await subject.configure({ concurrency: 1 });
    await expect(subject.configure(given as QueueSettings)).rejects.toMatchObject({
      code: 'invalid-request',
      kind: 'invalid',
      data: { pointer },
    });
    expect(await settings()).toEqual({ concurrency: 1 });
  });

  needs('tenants').it('of a tenant with an unknown setting are refused, and change nothing', async () => {
    await subject.configureTenant('a', { weight: 2 });
    await expect(subject.configureTenant('a', { mode: 'fifo' } as TenantSettings)).rejects.toMatchObject({
      code: 'invalid-request',
      data: { pointer: '/mode' },
    });
    expect((await subject.tenant('a')).settings).toEqual({ weight: 2 });
  });
}
