import { checkQueueSettings, checkTenantSettings } from './check-settings.js';
import { LIMITS } from './limits.js';
import type { QueueSettings, TenantSettings } from './settings.js';

const rate = { limit: 1, perMs: 1 };

describe('checkQueueSettings', () => {
  it.each<QueueSettings>([
    {},
    { mode: 'fair' },
    { mode: 'fifo' },
    { priority: { policy: 'off' } },
    { priority: { policy: 'strict' } },
    { priority: { policy: 'strict', maxWaitMs: { 1: null, 2: 0, 6: LIMITS.delayMsMax } } },
    { priority: { policy: 'weighted' } },
    { priority: { policy: 'weighted', weights: { 1: 1, 6: LIMITS.weightMax } } },
    { concurrency: 1, backlog: 1, partitions: 1, rate },
    {
      concurrency: LIMITS.concurrencyMax,
      backlog: LIMITS.backlogMax,
      partitions: LIMITS.partitionsMax,
      rate: { limit: LIMITS.rateMax, perMs: LIMITS.ratePerMsMax, burst: LIMITS.rateMax },
    },
    { tenants: {} },
    { tenants: { weight: LIMITS.weightMax, concurrency: 1, rate, backlog: 1 } },
    { mode: undefined, concurrency: undefined, tenants: { weight: undefined } },
  ])('accepts %j', (settings) => {
    expect(() => checkQueueSettings(settings)).not.toThrow();
  });

  it.each<[string, unknown]>([
    ['', null],
    ['', 'fifo'],
    ['/modus', { modus: 'fifo' }],
    ['/weight', { weight: 1 }],
    ['/mode', { mode: 'lifo' }],
    ['/mode', { mode: null }],
    ['/concurrency', { concurrency: 0 }],
    ['/concurrency', { concurrency: 1.5 }],
    ['/concurrency', { concurrency: '1' }],
    ['/concurrency', { concurrency: null }],
    ['/concurrency', { concurrency: LIMITS.concurrencyMax + 1 }],
    ['/backlog', { backlog: 0 }],
    ['/backlog', { backlog: LIMITS.backlogMax + 1 }],
    ['/partitions', { partitions: 0 }],
    ['/partitions', { partitions: LIMITS.partitionsMax + 1 }],
    ['/rate', { rate: 5 }],
    ['/rate', { rate: null }],
    ['/rate/limit', { rate: { perMs: 1 } }],
    ['/rate/limit', { rate: { limit: 0, perMs: 1 } }],
    ['/rate/limit', { rate: { limit: LIMITS.rateMax + 1, perMs: 1 } }],
    ['/rate/perMs', { rate: { limit: 1 } }],
    ['/rate/perMs', { rate: { limit: 1, perMs: 0 } }],
    ['/rate/perMs', { rate: { limit: 1, perMs: LIMITS.ratePerMsMax + 1 } }],
    ['/rate/burst', { rate: { ...rate, burst: 0 } }],
    ['/rate/burst', { rate: { ...rate, burst: LIMITS.rateMax + 1 } }],
    ['/rate/per', { rate: { ...rate, per: 1 } }],
    ['/priority/policy', { priority: {} }],
    ['/priority/policy', { priority: { policy: 'random' } }],
    ['/priority/weights', { priority: { policy: 'strict', weights: {} } }],
    ['/priority/maxWaitMs', { priority: { policy: 'weighted', maxWaitMs: {} } }],
    ['/priority/maxWaitMs', { priority: { policy: 'off', maxWaitMs: {} } }],
    ['/priority/maxWaitMs/0', { priority: { policy: 'strict', maxWaitMs: { 0: 1 } } }],
    ['/priority/maxWaitMs/7', { priority: { policy: 'strict', maxWaitMs: { 7: 1 } } }],
    ['/priority/maxWaitMs/high', { priority: { policy: 'strict', maxWaitMs: { high: 1 } } }],
    ['/priority/maxWaitMs/3', { priority: { policy: 'strict', maxWaitMs: { 3: -1 } } }],
    ['/priority/maxWaitMs/3', { priority: { policy: 'strict', maxWaitMs: { 3: LIMITS.delayMsMax + 1 } } }],
    ['/priority/weights/3', { priority: { policy: 'weighted', weights: { 3: 0 } } }],
    ['/priority/weights/3', { priority: { policy: 'weighted', weights: { 3: null } } }],
    ['/priority/weights/3', { priority: { policy: 'weighted', weights: { 3: LIMITS.weightMax + 1 } } }],
    ['/tenants/weight', { tenants: { weight: 0 } }],
    ['/tenants/rate/limit', { tenants: { rate: { limit: 0, perMs: 1 } } }],
    ['/tenants/tenants', { tenants: { tenants: {} } }],
  ])('refuses at %j what is wrong in %j', (pointer, settings) => {
    expect(() => checkQueueSettings(settings as QueueSettings)).toThrow(
      expect.objectContaining({ code: 'invalid-request', data: expect.objectContaining({ pointer }) }),
    );
  });
});

describe('checkTenantSettings', () => {
  it.each<TenantSettings>([
    {},
    { weight: 1, concurrency: 1, rate, backlog: 1 },
    { weight: LIMITS.weightMax, concurrency: LIMITS.concurrencyMax, backlog: LIMITS.backlogMax },
  ])('accepts %j', (settings) => {
    expect(() => checkTenantSettings(settings)).not.toThrow();
  });

  it.each<[string, unknown]>([
    ['', null],
    ['/mode', { mode: 'fifo' }],
    ['/partitions', { partitions: 2 }],
    ['/weight', { weight: 0 }],
    ['/weight', { weight: LIMITS.weightMax + 1 }],
    ['/weight', { weight: NaN }],
    ['/concurrency', { concurrency: 0 }],
    ['/backlog', { backlog: 0 }],
    ['/rate/limit', { rate: { limit: 0, perMs: 1 } }],
  ])('refuses at %j what is wrong in %j', (pointer, settings) => {
    expect(() => checkTenantSettings(settings as TenantSettings)).toThrow(
      expect.objectContaining({ code: 'invalid-request', data: expect.objectContaining({ pointer }) }),
    );
  });
});
