import { QueueError } from '../core/errors.js';
import type { Rate } from '../core/settings.js';

/** What is divided among the partitions, of a queue's settings and of a tenant's. */
interface Limits {
  concurrency?: number;
  rate?: Rate;
  backlog?: number;
}

/**
 * What each partition gets of a whole: as equal as whole numbers can be, and at least 1.
 *
 * @throws QueueError `invalid-request`, with a pointer, where there is not 1 for each
 */
export function shareLimits<T extends Limits>(limits: T, count: number): T[] {
  const { concurrency, rate, backlog } = limits;
  checkDivisible('/concurrency', concurrency, count);
  checkDivisible('/rate/limit', rate?.limit, count);
  checkDivisible('/rate/burst', rate?.burst, count);
  checkDivisible('/backlog', backlog, count);
  return Array.from({ length: count }, (_, index) => {
    const part = (total: number) => shareOf(total, index, count);
    return {
      ...limits,
      ...(concurrency !== undefined && { concurrency: part(concurrency) }),
      ...(rate && {
        rate: {
          ...rate,
          limit: part(rate.limit),
          ...(rate.burst !== undefined && { burst: part(rate.burst) }),
        },
      }),
      ...(backlog !== undefined && { backlog: part(backlog) }),
    };
  });
}

/** The whole again. What is not divided is that of the first share. */
export function wholeOf<T extends Limits>(shares: readonly [T, ...T[]]): T {
  const [first] = shares;
  const sum = (value: (limits: Limits) => number | undefined) =>
    shares.reduce((total, share) => total + (value(share) ?? 0), 0);
  return {
    ...first,
    ...(first.concurrency !== undefined && { concurrency: sum(({ concurrency }) => concurrency) }),
    ...(first.rate && {
      rate: {
        ...first.rate,
        limit: sum(({ rate }) => rate?.limit),
        ...(first.rate.burst !== undefined && { burst: sum(({ rate }) => rate?.burst) }),
      },
    }),
    ...(first.backlog !== undefined && { backlog: sum(({ backlog }) => backlog) }),
  };
}

export function shareOf(total: number, index: number, count: number): number {
  return Math.floor(total / count) + (index < total % count ? 1 : 0);
}

function checkDivisible(pointer: string, total: number | undefined, count: number): void {
  if (total === undefined || total >= count) return;
  throw new QueueError('invalid-request', {
    message: `${pointer.slice(1)} is divided among ${count} partitions and must be at least ${count}.`,
    pointer,
  });
}
