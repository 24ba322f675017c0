import { defaultBurst, effectiveSettings, type QueueSettings } from './settings.js';

const rate = { limit: 1, perMs: 1 };

describe('defaultBurst', () => {
  it.each([
    [1, { limit: 1, perMs: 1_000 }],
    [1, { limit: 10, perMs: 1_000 }],
    [2, { limit: 11, perMs: 1_000 }],
    [10, { limit: 100, perMs: 1_000 }],
    [1, { limit: 600, perMs: 60_000 }],
    [100, { limit: 1, perMs: 1 }],
  ])('is %d for %j', (burst, given) => {
    expect(defaultBurst(given)).toBe(burst);
  });
});

describe('effectiveSettings', () => {
  it('has a weight of 1 and no limits by default', () => {
    expect(effectiveSettings({}, {})).toEqual({ weight: 1 });
  });

  it("takes each setting from the tenant, else from the queue's for tenants", () => {
    const queue: QueueSettings = { concurrency: 9, tenants: { weight: 2, concurrency: 3, backlog: 4 } };
    expect(effectiveSettings(queue, { concurrency: 5, rate })).toEqual({
      weight: 2,
      concurrency: 5,
      rate,
      backlog: 4,
    });
  });
});
