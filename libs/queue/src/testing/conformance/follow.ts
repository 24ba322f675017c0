import type { EventPosition, EventSelection, Following, QueueEvent } from '../../core/ports/observer.js';
import { uniqueQueue } from '../builders.js';
import { needs } from './needs.js';
import { keyOf, LEASE_MS, type Setup, type Subject, useSubject } from './subject.js';

/** What one who follows was told. */
class Told {
  readonly events: QueueEvent[] = [];
  position: EventPosition = '';
  gaps = 0;
  following?: Following;
  #wake: () => void = () => undefined;

  onEvents(events: readonly QueueEvent[], position: EventPosition): void {
    this.events.push(...events);
    this.position = position;
    this.#wake();
  }

  onGap(): void {
    this.gaps += 1;
    this.#wake();
  }

  /** What has been told, once it is so many events. */
  async until(count: number): Promise<string[]> {
    await this.untilTrue(() => this.events.length >= count);
    return this.words;
  }

  async untilTrue(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  get words(): string[] {
    return this.events.map(({ taskId, kind, attempt }) => `${keyOf({ id: taskId })} ${kind} ${attempt}`);
  }
}

export function describeFollow(setup: Setup): void {
  const subject = useSubject(setup);
  const following: Following[] = [];

  afterEach(() => following.splice(0).forEach((each) => each.stop()));

  const follow = async (selection: EventSelection, after?: EventPosition): Promise<Told> => {
    const told = new Told();
    // Another process's view: nothing is heard only where it was done.
    told.following = await (
      await subject.another()
    ).follow(
      selection,
      { onEvents: (...heard) => told.onEvents(...heard), onGap: () => told.onGap() },
      after,
    );
    following.push(told.following);
    return told;
  };
  const followQueue = (filter: object = {}, after?: EventPosition) =>
    follow({ queues: [subject.name], ...filter }, after);
  const followTask = (key: string, after?: EventPosition) => follow({ task: subject.id(key) }, after);

  describe('a queue', () => {
    it('tells every state that its tasks enter, in order', async () => {
      const told = await followQueue();
      await subject.add({ key: 'a', type: 't.one' }, { key: 'b', delayMs: 5 });
      await subject.complete(await subject.takeOne());
      subject.clock.advance(5);
      await subject.fail(await subject.takeOne(), { retryInMs: 5 });
      await subject.cancel(subject.id('b'));
      expect(await told.until(8)).toEqual([
        'a pending 0',
        'b scheduled 0',
        'a running 1',
        'a completed 1',
        'b pending 0',
        'b running 1',
        'b retrying 1',
        'b cancelled 1',
      ]);
      expect(told.events[3]).toMatchObject({
        queue: subject.name,
        taskId: subject.id('a'),
        type: 't.one',
        tenant: 'default',
      });
      expect(told.events.every(({ at }) => at > 0)).toBe(true);
      expect(told.gaps).toBe(0);
    });

    it('tells of tasks that move in one call each its own attempt', async () => {
      const told = await followQueue();
      await subject.fail(await subject.start({ key: 'a' }), { retryInMs: 0 });
      await subject.add({ key: 'b' }, { key: 'c' });
      const leased = await subject.take(3);
      await subject.queue.settle(
        leased.map(({ id, leaseToken }) =>
          keyOf({ id }) === 'c'
            ? { id, leaseToken, action: 'fail', error: { message: 'It broke.' }, retryable: false }
            : { id, leaseToken, action: 'complete' },
        ),
      );
      expect((await told.until(11)).slice(5).toSorted()).toEqual([
        'a completed 2',
        'a running 2',
        'b completed 1',
        'b running 1',
        'c failed 1',
        'c running 1',
      ]);
    });

    it.each<[string, (subject: Subject) => Promise<unknown>, string[]]>([
      [
        'a release',
        async (s) => s.release(await s.start({ key: 'k' })),
        ['pending 0', 'running 1', 'pending 0'],
      ],
      [
        'a failure that is retried at once',
        async (s) => s.fail(await s.start({ key: 'k' }), { retryInMs: 0 }),
        ['pending 0', 'running 1', 'pending 1'],
      ],
      [
        'a final failure',
        async (s) => s.fail(await s.start({ key: 'k' }), { retryable: false }),
        ['pending 0', 'running 1', 'failed 1'],
      ],
      [
        'a lost lease',
        async (s) => {
          await s.start({ key: 'k' });
          await s.loseLeases();
        },
        ['pending 0', 'running 1', 'pending 1'],
      ],
      [
        'a purge',
        async (s) => {
          await s.addOne({ key: 'k' });
          await s.queue.purge({ queue: s.name, state: 'waiting' });
        },
        ['pending 0', 'cancelled 0'],
      ],
      [
        'no change of priority',
        async (s) => {
          await s.addOne({ key: 'k' });
          await s.update({ id: s.id('k'), priority: 5 });
          await s.cancel(s.id('k'));
        },
        ['pending 0', 'cancelled 0'],
      ],
    ])('tells of %s', (_, happen, states) => tells(() => happen(subject), states));
    needs('ttl').it('tells of an expiry, and of a retry by an operator', () =>
      tells(async () => {
        await subject.addOne({ key: 'k', ttlMs: 5 });
        subject.clock.advance(5);
        await subject.queue.promote(subject.name);
        await subject.retry(subject.id('k'));
      }, ['pending 0', 'expired 0', 'pending 0']),
    );
    const tells = async (happen: () => Promise<unknown>, states: readonly string[]) => {
      const told = await followQueue();
      await happen();
      expect(await told.until(states.length)).toEqual(states.map((state) => `k ${state}`));
    };

    it('tells the attempts of a task that was there before', async () => {
      await subject.addOne({ key: 'k' });
      const told = await followQueue();
      const leased = await subject.takeOne();
      await told.until(1);
      await subject.fail(leased, { retryInMs: 0 });
      await subject.complete(await subject.takeOne());
      expect(await told.until(4)).toEqual(['k running 1', 'k pending 1', 'k running 2', 'k completed 2']);
    });

    needs('tenants').it('tells of what is in each list of the filter', async () => {
      const all = await followQueue();
      const ended = await followQueue({ states: ['completed', 'failed'] });
      const acme = await followQueue({ tenants: ['acme', 'globex'], types: ['b'] });
      await subject.add(
        { key: '1', tenant: 'acme', type: 'a' },
        { key: '2', tenant: 'acme', type: 'b' },
        { key: '3', tenant: 'other', type: 'b' },
      );
      for (const leased of await subject.take(3)) await subject.complete(leased);
      expect(await all.until(9)).toHaveLength(9);
      expect((await ended.until(3)).sort()).toEqual(['1 completed 1', '2 completed 1', '3 completed 1']);
      expect(await acme.until(3)).toEqual(['2 pending 0', '2 running 1', '2 completed 1']);
    });

    it('tells nothing of reports, of other queues, and once it is stopped', async () => {
      const told = await followQueue();
      const stopped = await followQueue();
      stopped.following!.stop();
      await subject.addOne({ queue: uniqueQueue() });
      const { id, leaseToken } = await subject.start({ key: 'k' });
      await subject.queue.extend([{ id, leaseToken, progress: '1', logs: ['a'] }], LEASE_MS);
      await subject.settle({ id, leaseToken, action: 'complete', logs: ['b'] });
      expect(await told.until(3)).toEqual(['k pending 0', 'k running 1', 'k completed 1']);
      expect(stopped.events).toEqual([]);
    });

    needs('tenants').it('tells a thousand tasks of one call, with type and tenant of each', async () => {
      const told = await followQueue();
      const tasks = Array.from({ length: 1_000 }, (_, i) => ({
        key: `k${i}`,
        tenant: `t${i % 7}`,
        type: `type${i % 3}`,
      }));
      await subject.add(...tasks);
      expect(await told.until(1_000)).toHaveLength(1_000);
      expect(
        told.events.map(({ taskId, type, tenant }) => ({ key: keyOf({ id: taskId }), tenant, type })),
      ).toEqual(tasks);
    });

    needs('tenants').it('goes on after a position, missing nothing', async () => {
      const first = await followQueue();
      await subject.add({ key: 'a' });
      await first.until(1);
      await subject.add({ key: 'b' }, { key: 'c' });
      await first.until(3);
      const positions = [first.position, first.following!.position];
      await subject.add({ key: 'd' });
      await first.until(4);
      for (const position of positions) {
        const second = await followQueue({}, position);
        await second.untilTrue(() => second.words.includes('d pending 0'));
        expect(second.gaps).toBe(0);
      }
      const filtered = await followQueue({ tenants: ['nobody'] }, positions[0]);
      await subject.addOne({ key: 'e', tenant: 'nobody' });
      expect(await filtered.until(1)).toEqual(['e pending 0']);
    });

    it('waits for one who catches up, and then tells what is new', async () => {
      const first = await followQueue();
      await subject.addOne({ key: 'start' });
      await first.until(1);
      const { position } = first;
      for (let i = 0; i < 450; i += 1) await subject.addOne({ key: `k${i}` });
      await first.until(451);
      const keys: string[] = [];
      let busy = false;
      const all = new Promise<void>((resolve) => {
        const follower = {
          async onEvents(events: readonly QueueEvent[]) {
            expect(busy).toBe(false);
            busy = true;
            await new Promise(setImmediate);
            busy = false;
            keys.push(...events.map(({ taskId }) => keyOf({ id: taskId })));
            if (keys.length >= 450) resolve();
          },
          onGap: () => undefined,
        };
        void subject.queue
          .follow({ queues: [subject.name] }, follower, position)
          .then((each) => following.push(each));
      });
      await all;
      expect(keys).toEqual(Array.from({ length: 450 }, (_, i) => `k${i}`));
    });

    it('says that there is a gap where what came after the position is not kept any more', async () => {
      const first = await followQueue();
      await subject.addOne({ key: 'a' });
      await first.until(1);
      const { position } = first;
      const calls = (await subject.eventsKept()) + 300;
      for (let i = 0; i < calls; i += 1) await subject.addOne({ key: `k${i}` });
      const late = await followQueue({}, position);
      await late.untilTrue(() => late.events.length > 0);
      expect(late.gaps).toBe(1);
      await late.untilTrue(() => late.words.at(-1) === `k${calls - 1} pending 0`);
    });

    it('says that there is a gap where the position is from a time that is still to come', async () => {
      const told = await followQueue({}, '999999999999999-0');
      await told.untilTrue(() => told.gaps === 1);
      await subject.addOne({ key: 'k' });
      expect(await told.until(1)).toEqual(['k pending 0']);
    });

    it.each<[string, object, string | undefined, string]>([
      ['a position', {}, 'x', 'invalid-position'],
      ['an empty position', {}, '', 'invalid-position'],
      ['a queue', { queues: ['a b'] }, undefined, 'invalid-task'],
      ['a type', { types: [' '] }, undefined, 'invalid-task'],
      ['a tenant', { tenants: ['~'] }, undefined, 'invalid-task'],
      ['a state', { states: ['done'] }, undefined, 'invalid-request'],
    ])('is refused with %s that is none', async (_, selection, after, code) => {
      await expect(followQueue(selection, after)).rejects.toMatchObject({ code });
    });
  });

  describe('several queues', () => {
    it('are told together, and gone on with after a position', async () => {
      const queues = [uniqueQueue(), uniqueQueue()];
      const told = await follow({ queues });
      for (const queue of queues) await subject.addOne({ queue, key: queue });
      await subject.addOne({ key: 'elsewhere' });
      expect((await told.until(2)).sort()).toEqual(queues.map((queue) => `${queue} pending 0`).sort());
      const { position } = told.following!;
      const again = await follow({ queues }, position);
      await subject.addOne({ queue: queues[1], key: 'last' });
      await again.untilTrue(() => again.words.includes('last pending 0'));
      expect(again.gaps).toBe(0);
    });

    it('all of them are followed, new ones from their first event', async () => {
      await subject.addOne({ key: 'before' });
      const told = await follow({ queues: 'all' });
      await subject.addOne({ key: 'known' });
      const queue = uniqueQueue();
      await subject.addOne({ queue, key: 'new' });
      await told.untilTrue(() => told.words.includes('new pending 0'));
      await told.untilTrue(() => told.words.includes('known pending 0'));
      expect(told.words).not.toContain('before pending 0');
      expect(told.position).not.toBe('0-0');
      const again = await follow({ queues: 'all' }, told.position);
      await subject.addOne({ queue: uniqueQueue(), key: 'newer' });
      await again.untilTrue(() => again.words.includes('newer pending 0'));
      expect(again.gaps).toBe(0);
    }, 20_000);

    it('a new queue in which somebody waits already does not take their position back', async () => {
      const elsewhere = await subject.another();
      const told = new Told();
      following.push(await elsewhere.follow({ queues: 'all' }, told));
      const { id } = await subject.addOne({ queue: uniqueQueue(), key: 'awaited' });
      const abort = new AbortController();
      const waiting = elsewhere.waitForEnd(id, 20_000, abort.signal);
      await told.untilTrue(() => told.words.includes('awaited pending 0'));
      expect(told.position).not.toBe('0-0');
      abort.abort();
      await waiting;
    }, 20_000);
  });

  describe('a task', () => {
    it('tells its states and its progress, and nothing of others', async () => {
      const told = await followTask('k');
      await subject.addOne({ key: 'other', priority: 1 });
      const { id, leaseToken } = await subject.start({ key: 'k' });
      await subject.queue.extend([{ id, leaseToken, progress: '{"percent":40}' }], LEASE_MS);
      await subject.settle({ id, leaseToken, action: 'complete' });
      expect(await told.until(4)).toEqual(['k pending 0', 'k running 1', 'k progress 1', 'k completed 1']);
      expect(told.events[2]!.progress).toBe('{"percent":40}');
    });

    needs('log-events').it('tells the lines that its worker writes', async () => {
      const told = await followTask('k');
      const { id, leaseToken } = await subject.start({ key: 'k' });
      await told.until(2);
      await subject.queue.extend([{ id, leaseToken, logs: ['one', 'two'] }], LEASE_MS);
      await subject.settle({ id, leaseToken, action: 'complete', logs: ['three'] });
      expect(await told.until(5)).toEqual([
        'k pending 0',
        'k running 1',
        'k logs 1',
        'k logs 1',
        'k completed 1',
      ]);
      expect(told.events.slice(2, 4).map(({ logs }) => logs?.map(({ message }) => message))).toEqual([
        ['one', 'two'],
        ['three'],
      ]);
    });

    it('tells a heartbeat that changes nothing to nobody', async () => {
      const told = await followTask('k');
      const { id, leaseToken } = await subject.start({ key: 'k' });
      await subject.queue.extend([{ id, leaseToken, logs: [] }], LEASE_MS);
      await subject.queue.extend([{ id, leaseToken: 'other', progress: '1', logs: ['x'] }], LEASE_MS);
      await subject.complete({ id, leaseToken } as Parameters<Subject['complete']>[0]);
      expect(await told.until(3)).toEqual(['k pending 0', 'k running 1', 'k completed 1']);
    });

    needs('log-events').it('tells log lines as far as they are kept, each once', async () => {
      const { id, leaseToken } = await subject.start({ key: 'k' });
      const { position } = (await subject.queue.snapshot(id))!;
      const lines = (from: number) => Array.from({ length: 600 }, (_, i) => `line ${from + i}`);
      await subject.queue.extend([{ id, leaseToken, logs: lines(0) }], LEASE_MS);
      await subject.queue.extend([{ id, leaseToken, logs: lines(600) }], LEASE_MS);
      const told = await followTask('k', position);
      await told.until(2);
      const messages = told.events.map(({ logs }) => logs!.map(({ message }) => message));
      // The memory keeps what it told, the store only the latest lines.
      expect(messages[0]!.slice(-400)).toEqual(lines(0).slice(-400));
      expect(messages[1]).toEqual(lines(600));
    });

    it('is told from a snapshot on, missing and repeating nothing', async () => {
      for (let turns = 0; turns < 10; turns += 1) {
        const key = `k${turns}`;
        await subject.addOne({ key, priority: 6 });
        const work = (async () => subject.complete(await subject.takeOne()))();
        for (let i = 0; i < turns; i += 1) await new Promise(setImmediate);
        const snapshot = (await subject.queue.snapshot(subject.id(key)))!;
        const told = await followTask(key, snapshot.position);
        await work;
        const rest = { pending: ['running', 'completed'], running: ['completed'], completed: [] as string[] };
        const expected = rest[snapshot.task.state as 'pending'].map((state) => `${key} ${state} 1`);
        await told.until(expected.length);
        expect(told.words).toEqual(expected);
      }
    });

    it('of which there is none has no snapshot', async () => {
      expect(await subject.queue.snapshot(subject.id('nobody'))).toBeUndefined();
      await expect(async () => subject.queue.snapshot('x')).rejects.toMatchObject({
        code: 'invalid-task-id',
      });
      await expect(follow({ task: 'x' })).rejects.toMatchObject({ code: 'invalid-task-id' });
    });

    it('is followed by many, each of whom is told', async () => {
      const all = await Promise.all(Array.from({ length: 50 }, () => followTask('k')));
      all[0]!.following!.stop();
      await subject.complete(await subject.start({ key: 'k' }));
      for (const told of all.slice(1)) await told.until(3);
      expect(all[0]!.events).toEqual([]);
    });
  });
}
