import { newTask } from '../builders.js';
import { needs } from './needs.js';
import { LEASE_MS, only, SHORT_MS, useSubject, type Setup } from './subject.js';

export function describePause(setup: Setup): void {
  const subject = useSubject(setup);
  const pause = (tenant?: string) => subject.queue.pause(subject.name, tenant);
  const resume = (tenant?: string) => subject.queue.resume(subject.name, tenant);
  const drain = () => subject.queue.drain(subject.name);

  describe('of a queue', () => {
    it('starts nothing until it is resumed', async () => {
      await subject.add({ key: 'a' }, { key: 'b', priority: 6 });
      await pause();
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
      expect(await subject.lease(0)).toEqual({ tasks: [], more: false });
      expect((await subject.overview()).paused).toBe(true);
      await resume();
      expect((await subject.overview()).paused).toBe(false);
      expect(await subject.keys(5)).toEqual(['b', 'a']);
    });

    it('lets go on what runs', async () => {
      const leased = await subject.start();
      await pause();
      const [extended] = await subject.queue.extend([leased], LEASE_MS);
      expect(extended).toMatchObject({ status: 'extended' });
      expect(await subject.complete(leased)).toMatchObject({ state: 'completed' });
    });

    needs('repeatable-leases').it('still returns what a repeated request holds', async () => {
      await subject.add({}, {});
      const first = await subject.take(1, { requestId: 'r1' });
      await pause();
      expect(await subject.take(1, { requestId: 'r1' })).toEqual(first);
    });

    it('still accepts tasks, makes them pending, and says when one is due', async () => {
      await pause();
      await subject.add({ key: 'a' }, { key: 'b', delayMs: 100 });
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false, nextDueInMs: 100 });
      subject.clock.advance(100);
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
      expect(await subject.stateOf(subject.id('b'))).toBe('pending');
    });

    needs('rate-limits').it('says nothing of when its rate would let the next one start', async () => {
      await subject.configure({ rate: { limit: 1, perMs: 1_000 } });
      await subject.add({}, {});
      await subject.take(2);
      await pause();
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
    });

    needs('tenants', 'stealing').it('holds for tenants that a worker names, too', async () => {
      await subject.addOf('a', 1);
      await pause();
      expect(await subject.lease(1, { tenants: ['a'], steal: false })).toEqual({ tasks: [], more: false });
    });

    it('tells when it is over', async () => {
      await subject.addOne();
      await pause();
      await subject.silence();
      const waiting = subject.wait();
      await resume();
      expect(await waiting).toBe(subject.name);
    });

    it('tells nobody where nothing waits when it is over', async () => {
      await pause();
      await resume();
      expect(await subject.wait(undefined, SHORT_MS)).toBeUndefined();
    });

    it('may be repeated, and so may its end', async () => {
      await subject.addOne();
      await pause();
      await pause();
      await resume();
      expect((await subject.overview()).paused).toBe(false);
      await resume();
      expect(await subject.take(5)).toHaveLength(1);
    });

    it('can begin before there are tasks, and makes the queue known', async () => {
      await pause();
      expect(await subject.overview()).toMatchObject({ paused: true, draining: false, backlog: 0 });
      await subject.addOne();
      expect(await subject.take(1)).toEqual([]);
    });

    needs('concurrency-limits').it('outlives a change of settings', async () => {
      await subject.addOne();
      await pause();
      await subject.configure({ concurrency: 5 });
      expect(await subject.take(1)).toEqual([]);
    });

    it('concerns one queue', async () => {
      await pause();
      await subject.addOne({ queue: `${subject.name}.other` });
      expect(await subject.take(1, { queue: `${subject.name}.other` })).toHaveLength(1);
    });
  });

  needs('tenants').describe('of a tenant', () => {
    it('starts nothing of it until it is resumed, and goes on with others', async () => {
      await subject.addOf('a', 2);
      await subject.addOf('b', 2);
      await pause('a');
      expect(await subject.keys(5)).toEqual(['b1', 'b2']);
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
      expect(await subject.tenant('a')).toMatchObject({ paused: true, backlog: 2 });
      await resume('a');
      expect(await subject.tenant('a')).toMatchObject({ paused: false });
      expect(await subject.keys(5)).toEqual(['a1', 'a2']);
    });

    it('is not over when the queue is resumed, nor when a task of it ends', async () => {
      await subject.addOf('a', 2);
      const leased = only(await subject.take(1));
      await pause('a');
      await pause();
      await resume();
      expect(await subject.take(5)).toEqual([]);
      await subject.complete(leased);
      expect(await subject.lease(5)).toEqual({ tasks: [], more: false });
      expect(await subject.tenant('a')).toMatchObject({ paused: true });
    });

    it('is not what a queue has', async () => {
      await subject.addOf('a', 1);
      await pause('a');
      expect((await subject.overview()).paused).toBe(false);
    });

    it('tells when it is over', async () => {
      await subject.addOf('a', 2);
      await pause('a');
      await subject.take(1);
      await subject.silence();
      const waiting = subject.wait();
      await resume('a');
      expect(await waiting).toBe(subject.name);
    });

    it('wakes nobody for more of its tasks once it was found paused', async () => {
      await subject.addOf('a', 2);
      await pause('a');
      await subject.take(1);
      await subject.silence();
      await subject.addOne({ tenant: 'a', priority: 6 });
      expect(await subject.wait(undefined, SHORT_MS)).toBeUndefined();
    });

    it('outlives a change of its settings', async () => {
      await subject.addOf('a', 2);
      await pause('a');
      await subject.take(1);
      await subject.configureTenant('a', { weight: 5 });
      expect(await subject.take(1)).toEqual([]);
    });

    it('may be repeated, and so may its end', async () => {
      await subject.addOf('a', 1);
      await pause('a');
      await pause('a');
      await resume('a');
      await resume('a');
      expect(await subject.keys(5)).toEqual(['a1']);
    });

    it('lasts also for one that has no tasks yet', async () => {
      await pause('a');
      await subject.addOf('a', 1);
      expect(await subject.take(1)).toEqual([]);
    });

    it('lets it gain or lose nothing in its share', async () => {
      await subject.addOf('a', 4);
      await subject.addOf('b', 9);
      expect(await subject.keys(2)).toEqual(['a1', 'b1']);
      await pause('a');
      expect(await subject.keys(4)).toEqual(['b2', 'b3', 'b4', 'b5']);
      await resume('a');
      expect(await subject.keys(4)).toEqual(['a2', 'a3', 'b6', 'a4']);
    });
  });

  needs('drain').describe('for draining', () => {
    const submit = async (...tasks: object[]) =>
      (await subject.queue.enqueue(tasks.map((task) => newTask({ queue: subject.name, ...task })))).map(
        (outcome) => (outcome.status === 'refused' ? outcome.error : outcome.status),
      );

    it('accepts nothing new until the queue is resumed', async () => {
      await drain();
      expect(await submit({ key: 'k' }, { delayMs: 5 })).toMatchObject([
        { code: 'queue-draining', kind: 'conflict' },
        { code: 'queue-draining' },
      ]);
      expect(await subject.find(subject.id('k'))).toBeUndefined();
      expect(await subject.overview()).toMatchObject({ draining: true, paused: false, backlog: 0 });
      await resume();
      expect(await submit({ key: 'k' })).toEqual(['accepted']);
      expect((await subject.overview()).draining).toBe(false);
    });

    it('works off what waits, and retries it', async () => {
      await subject.add({ key: 'a' }, { key: 'b', delayMs: 10 });
      await drain();
      const leased = await subject.takeOne();
      await subject.fail(leased, { retryInMs: 5 });
      subject.clock.advance(10);
      expect(await subject.keys(5)).toEqual(['a', 'b']);
    });

    needs('idempotency-keys').it('still replays, and says what is in conflict', async () => {
      const idempotency = { key: 'i', fingerprint: 'f' };
      await subject.add({ key: 'k' }, { idempotency });
      await drain();
      expect(
        await submit(
          { key: 'k' },
          { idempotency },
          { key: 'k', payload: '2' },
          { idempotency: { key: 'i', fingerprint: 'g' } },
        ),
      ).toMatchObject(['replayed', 'replayed', { code: 'id-conflict' }, { code: 'idempotency-mismatch' }]);
    });

    needs('backlog-limits').it('is what a full queue says first', async () => {
      await subject.configure({ backlog: 1 });
      await subject.addOne();
      await drain();
      expect(await submit({})).toMatchObject([{ code: 'queue-draining' }]);
    });

    needs('atomic-batches').it('refuses an atomic batch as a whole', async () => {
      await subject.addOne({ key: 'k' });
      await drain();
      const tasks = [{ key: 'k' }, { key: 'l' }].map((task) => newTask({ queue: subject.name, ...task }));
      const outcomes = await subject.queue.enqueue(tasks, { atomic: true });
      expect(outcomes).toMatchObject([{ status: 'replayed' }, { error: { code: 'queue-draining' } }]);
    });

    it('lets an operator retry what has failed', async () => {
      const leased = await subject.start();
      await subject.fail(leased, { retryable: false });
      await drain();
      expect(await subject.retry(leased.id)).toMatchObject({ status: 'done' });
    });

    needs('tenants').it('may be repeated, and does not end when a tenant is resumed', async () => {
      await drain();
      await drain();
      await resume('a');
      expect((await subject.overview()).draining).toBe(true);
      await resume();
      expect((await subject.overview()).draining).toBe(false);
    });

    it('can go with a pause, and both end at once', async () => {
      await subject.addOne();
      await pause();
      await drain();
      expect(await subject.overview()).toMatchObject({ paused: true, draining: true });
      await resume();
      expect(await subject.overview()).toMatchObject({ paused: false, draining: false });
      expect(await subject.take(1)).toHaveLength(1);
    });
  });
}
