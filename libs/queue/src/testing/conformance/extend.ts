import { LIMITS } from '../../core/limits.js';
import { needs } from './needs.js';
import { LEASE_MS, only, refusalOf, useSubject, type Setup } from './subject.js';

export function describeExtend(setup: Setup): void {
  const subject = useSubject(setup);

  it('moves the deadline to the given length from now', async () => {
    const leased = await subject.start();
    subject.clock.advance(4_000);
    const outcomes = await subject.queue.extend([leased], 7_000);
    const leaseExpiresAt = subject.now + 7_000;
    expect(outcomes).toEqual([{ status: 'extended', leaseExpiresAt, cancelRequested: false }]);
    expect(await subject.get(leased.id)).toMatchObject({ state: 'running', attempt: 1 });
    expect(await subject.complete(leased)).toMatchObject({ status: 'settled' });
  });

  needs('deadlines').it('shows the new deadline, and no other where it is refused', async () => {
    const { id, leaseToken } = await subject.start();
    subject.clock.advance(4_000);
    await subject.queue.extend([{ id, leaseToken }], 7_000);
    const leaseExpiresAt = subject.now + 7_000;
    expect(await subject.get(id)).toMatchObject({ leaseExpiresAt });
    subject.clock.advance(1_000);
    const progress = JSON.stringify('x'.repeat(LIMITS.progressBytesMax));
    await expect(subject.queue.extend([{ id, leaseToken }], 1)).rejects.toThrow();
    await expect(subject.queue.extend([{ id, leaseToken, progress }], LEASE_MS)).rejects.toThrow();
    expect(await subject.get(id)).toMatchObject({ leaseExpiresAt });
  });

  it('can shorten a lease', async () => {
    const leased = await subject.start();
    await subject.queue.extend([leased], 1_000);
    await subject.loseLeases(1_000);
    expect(await subject.stateOf(leased.id)).toBe('pending');
  });

  it('keeps a task from the reaper for as long as it is repeated', async () => {
    const leased = await subject.start();
    for (let i = 0; i < 10; i += 1) {
      subject.clock.advance(LEASE_MS / 2);
      await subject.queue.extend([leased], LEASE_MS);
      expect((await subject.queue.reap(subject.name)).count).toBe(0);
    }
    expect(await subject.stateOf(leased.id)).toBe('running');
  });

  it('revives a lease whose deadline has passed but that was not reaped', async () => {
    const leased = await subject.start();
    subject.clock.advance(LEASE_MS + 1);
    const outcomes = await subject.queue.extend([leased], LEASE_MS);
    expect(outcomes).toMatchObject([{ status: 'extended', leaseExpiresAt: subject.now + LEASE_MS }]);
    expect((await subject.queue.reap(subject.name)).count).toBe(0);
  });

  it('answers each in order, and extends the others where one is refused', async () => {
    await subject.add({ key: 'a' }, { key: 'b' });
    const [a, b] = await subject.take(2);
    if (!a || !b) throw new Error('expected two');
    subject.clock.advance(10);
    const outcomes = await subject.queue.extend([a, { ...b, leaseToken: 'wrong' }, b], LEASE_MS);
    expect(outcomes.map((outcome) => refusalOf(outcome) ?? outcome.status)).toEqual([
      'extended',
      'lease-lost',
      'extended',
    ]);
  });

  it('extends nothing where there is nothing to extend', async () => {
    expect(await subject.queue.extend([], LEASE_MS)).toEqual([]);
  });

  it('is refused once the lease was settled', async () => {
    const leased = await subject.start();
    await subject.complete(leased);
    const before = await subject.everythingOf(leased.id);
    const outcomes = await subject.queue.extend([{ ...leased, progress: '1', logs: ['x'] }], LEASE_MS);
    expect(refusalOf(only(outcomes))).toBe('lease-lost');
    expect(await subject.everythingOf(leased.id)).toEqual(before);
  });

  needs('cancel-running').it('says who should stop', async () => {
    const leased = await subject.start();
    await subject.cancel(leased.id);
    expect(await subject.queue.extend([leased], LEASE_MS)).toMatchObject([
      { status: 'extended', cancelRequested: true },
    ]);
  });

  it.each([LIMITS.leaseMsMin - 1, LIMITS.leaseMsMax + 1, NaN, 1_000.5])(
    'refuses a lease of %d ms',
    async (leaseMs) => {
      const leased = await subject.start();
      await expect(subject.queue.extend([leased], leaseMs)).rejects.toMatchObject({
        code: 'invalid-request',
      });
    },
  );

  describe('progress', () => {
    it('is kept until the next report', async () => {
      const leased = await subject.start();
      await subject.queue.extend([{ ...leased, progress: '{"percent":10}' }], LEASE_MS);
      await subject.queue.extend([leased], LEASE_MS);
      expect((await subject.get(leased.id)).progress).toBe('{"percent":10}');
      await subject.queue.extend([{ ...leased, progress: '20' }], LEASE_MS);
      expect((await subject.get(leased.id)).progress).toBe('20');
    });

    it('is refused where it is too long, and then nothing is kept', async () => {
      await subject.add({}, {});
      const [a, b] = await subject.take(2);
      if (!a || !b) throw new Error('expected two');
      const progress = JSON.stringify('x'.repeat(LIMITS.progressBytesMax));
      await expect(
        subject.queue.extend(
          [
            { ...a, progress: '1' },
            { ...b, progress },
          ],
          LEASE_MS,
        ),
      ).rejects.toMatchObject({
        code: 'invalid-request',
        data: { pointer: '/progress' },
      });
      expect((await subject.get(a.id)).progress).toBeUndefined();
    });
  });

  describe('logs', () => {
    it('are kept in order, with time and attempt', async () => {
      const first = await subject.start();
      await subject.queue.extend([{ ...first, logs: ['one', 'two'] }], LEASE_MS);
      subject.clock.advance(5);
      const { id, leaseToken } = first;
      await subject.settle({
        id,
        leaseToken,
        action: 'fail',
        error: { message: 'm' },
        retryInMs: 0,
        logs: ['three'],
      });
      const second = await subject.takeOne();
      await subject.settle({ id, leaseToken: second.leaseToken, action: 'complete', logs: ['four'] });
      expect(await subject.queue.logs(id)).toEqual([
        { at: subject.now - 5, attempt: 1, message: 'one' },
        { at: subject.now - 5, attempt: 1, message: 'two' },
        { at: subject.now, attempt: 1, message: 'three' },
        { at: subject.now, attempt: 2, message: 'four' },
      ]);
    });

    it('of a released attempt carry its number', async () => {
      const { id, leaseToken } = await subject.start();
      await subject.settle({ id, leaseToken, action: 'release', logs: ['bye'] });
      expect(await subject.queue.logs(id)).toEqual([{ at: subject.now, attempt: 1, message: 'bye' }]);
    });

    it('are none for a task that never ran, and for one that does not exist', async () => {
      expect(await subject.queue.logs((await subject.addOne()).id)).toEqual([]);
      expect(await subject.queue.logs(`${subject.name}~nobody`)).toEqual([]);
    });

    it.each([
      ['spaces', ' a  b '],
      ['line breaks', 'a\nb\r\n'],
      ['unicode', '漢字 🦄'],
      ['control characters', 'a\u0000b\u001eb\u001fc'],
      ['what looks like a prefix', '123 4 x'],
      ['nothing', ''],
    ])('keep %s', async (_, line) => {
      const leased = await subject.start();
      await subject.queue.extend([{ ...leased, logs: [line, 'next', line] }], LEASE_MS);
      expect((await subject.queue.logs(leased.id)).map(({ message }) => message)).toEqual([
        line,
        'next',
        line,
      ]);
    });

    it('are cut to a length', async () => {
      const leased = await subject.start();
      await subject.queue.extend([{ ...leased, logs: ['x'.repeat(LIMITS.logLineCharsMax + 1)] }], LEASE_MS);
      expect(only(await subject.queue.logs(leased.id)).message).toBe('x'.repeat(LIMITS.logLineCharsMax));
    });

    it('are the latest ones', async () => {
      const leased = await subject.start();
      const lines = Array.from({ length: LIMITS.logLinesKept - 1 }, (_, i) => `a${i}`);
      await subject.queue.extend([{ ...leased, logs: lines }], LEASE_MS);
      await subject.queue.extend([{ ...leased, logs: ['b0', 'b1', 'b2'] }], LEASE_MS);
      const kept = (await subject.queue.logs(leased.id)).map(({ message }) => message);
      expect(kept).toHaveLength(LIMITS.logLinesKept);
      expect(kept[0]).toBe('a2');
      expect(kept.slice(-3)).toEqual(['b0', 'b1', 'b2']);
    });
  });
}
