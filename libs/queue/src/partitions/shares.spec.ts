import fc from 'fast-check';
import { QueueError } from '../core/errors.js';
import type { QueueSettings } from '../core/settings.js';
import { shareLimits, wholeOf } from './shares.js';

const counts = fc.integer({ min: 2, max: 64 });
const amounts = fc.integer({ min: 64, max: 1_000_000 });
const limits: fc.Arbitrary<QueueSettings> = fc.record(
  {
    concurrency: amounts,
    backlog: amounts,
    rate: fc.record({ limit: amounts, perMs: amounts, burst: amounts }, { requiredKeys: ['limit', 'perMs'] }),
    tenants: fc.record({ concurrency: amounts }),
  },
  { requiredKeys: [] },
);

describe('shares of limits', () => {
  it('make the whole again', () => {
    fc.assert(
      fc.property(limits, counts, (whole, count) => {
        const [first, ...others] = shareLimits(whole, count);
        expect(others).toHaveLength(count - 1);
        expect(wholeOf([first!, ...others])).toEqual(whole);
      }),
    );
  });

  it('are at least 1, and as equal as whole numbers can be', () => {
    fc.assert(
      fc.property(counts, amounts, (count, concurrency) => {
        const shares = shareLimits({ concurrency }, count).map((share) => share.concurrency);
        expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('leave what is not divided as it is', () => {
    const settings: QueueSettings = { tenants: { concurrency: 1 }, mode: 'fair' };
    expect(shareLimits(settings, 3)).toEqual([settings, settings, settings]);
  });

  it('are not to be had where there is not 1 for each', () => {
    expect(shareLimits({ backlog: 2 }, 2)).toEqual([{ backlog: 1 }, { backlog: 1 }]);
    expect(() => shareLimits({ backlog: 2 }, 3)).toThrow(QueueError);
  });
});
