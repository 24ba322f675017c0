import { LIMITS } from '../../core/limits.js';
import type { LeasedTask } from '../../core/ports/consumer.js';
import { needs } from './needs.js';
import { LEASE_MS, useSubject, WORKER, type Setup } from './subject.js';

export function describeHoldingBack(setup: Setup): void {
  const subject = useSubject(setup);

  needs('tenants', 'hold-back').it('starts nothing of the queue for as long as a release says', async () => {
    const leased = await subject.start({ key: 'a', tenant: 'a' });
    await subject.addOne({ key: 'b', tenant: 'b', priority: 1 });
    expect(await subject.release(leased, 500)).toEqual({ status: 'settled', state: 'pending' });
    expect(await subject.lease(5)).toEqual({ tasks: [], more: false, nextDueInMs: 500 });
    subject.clock.advance(499);
    expect(await subject.lease(5)).toEqual({ tasks: [], more: false, nextDueInMs: 1 });
    subject.clock.advance(1);
    expect(await subject.keys(5)).toEqual(['a', 'b']);
  });

  needs('hold-back').it('keeps the longest of several times', async () => {
    await subject.add({}, {}, {});
    const [one, two, three] = await subject.take(3);
    await subject.release(one as LeasedTask, 300);
    await subject.release(two as LeasedTask, 500);
    await subject.release(three as LeasedTask, 100);
    expect((await subject.lease(5)).nextDueInMs).toBe(500);
  });

  it('holds nothing back for no time, nor by a release without one', async () => {
    const leased = await subject.start();
    await subject.release(leased, 0);
    await subject.release(await subject.takeOne());
    expect(await subject.take(1)).toHaveLength(1);
  });

  needs('hold-back').it('does not begin anew where the release is repeated', async () => {
    const leased = await subject.start();
    await subject.release(leased, 500);
    subject.clock.advance(400);
    await subject.release(leased, 500);
    expect((await subject.lease(5)).nextDueInMs).toBe(100);
  });

  needs('hold-back').it('does not begin with a release that is refused', async () => {
    const leased = await subject.start();
    await subject.addOne();
    await subject.release({ ...leased, leaseToken: 'wrong' }, 500);
    expect(await subject.take(1)).toHaveLength(1);
  });

  needs('hold-back', 'cancel-running').it(
    'also begins where the released task was to be cancelled',
    async () => {
      const leased = await subject.start();
      await subject.addOne();
      await subject.cancel(leased.id);
      expect(await subject.release(leased, 500)).toMatchObject({ state: 'cancelled' });
      expect((await subject.lease(5)).nextDueInMs).toBe(500);
    },
  );

  needs('hold-back').it('keeps the settlement that says so from taking anything next', async () => {
    const { id, leaseToken } = await subject.start();
    const { lease } = await subject.queue.settle([{ id, leaseToken, action: 'release', retryAfterMs: 500 }], {
      queue: subject.name,
      workerId: WORKER,
      max: 5,
      leaseMs: LEASE_MS,
    });
    expect(lease).toEqual({ tasks: [], more: false, nextDueInMs: 500 });
  });

  needs('hold-back').it('concerns one queue, and lets go on what runs', async () => {
    const other = `${subject.name}.other`;
    await subject.add({}, {}, { queue: other });
    const [one, two] = await subject.take(2);
    await subject.release(one as LeasedTask, 500);
    expect(await subject.take(1, { queue: other })).toHaveLength(1);
    expect(await subject.complete(two as LeasedTask)).toMatchObject({ state: 'completed' });
  });

  needs('rate-limits', 'hold-back').it('ends with the later of it and of the rate', async () => {
    await subject.configure({ rate: { limit: 1, perMs: 1_000 } });
    const leased = await subject.start();
    await subject.release(leased, 400);
    expect((await subject.lease(5)).nextDueInMs).toBe(1_000);
    subject.clock.advance(1_000);
    await subject.release(await subject.takeOne(), 1_700);
    expect((await subject.lease(5)).nextDueInMs).toBe(1_700);
  });

  needs('hold-back').it.each([-1, 1.5, NaN, LIMITS.retryAfterMsMax + 1])(
    'of %d ms is refused',
    async (retryAfterMs) => {
      const leased = await subject.start();
      await expect(subject.release(leased, retryAfterMs)).rejects.toMatchObject({
        code: 'invalid-request',
        data: { pointer: '/retryAfterMs' },
      });
      expect(await subject.stateOf(leased.id)).toBe('running');
    },
  );
}
