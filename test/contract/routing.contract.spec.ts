import { createQueue, pagesOf, QueueError, type Queue, type QueueName, routeQueue } from '@app/queue';
import { describeQueue, ManualClock, MemoryQueue } from '@app/queue/testing';

/** Every other queue that a test makes is elsewhere. */
const isElsewhere = (queue: QueueName) => Number(queue.split('-').at(-1)) % 2 === 1;

describeQueue('queues on two backends', async () => {
  const clock = new ManualClock();
  const main = new MemoryQueue({ clock, random: () => 0.5 });
  const other = new MemoryQueue({ clock, random: () => 0.5 });
  const queue = routeQueue({ name: 'main', backend: main }, [
    { name: 'other', serves: isElsewhere, backend: other },
  ]);
  await queue.open();
  return { queue, clock, cleanup: () => queue.close() };
});

describe('what concerns both', () => {
  const LEASE = { workerId: 'w', max: 1, leaseMs: 5_000 };
  let main: MemoryQueue;
  let other: MemoryQueue;
  let queue: Queue;
  beforeEach(() => {
    main = new MemoryQueue();
    other = new MemoryQueue();
    queue = routeQueue({ name: 'main', backend: main }, [
      { name: 'other', serves: (name) => name.startsWith('other'), backend: other },
    ]);
  });

  /** One of the operations of a backend fails. */
  const fail = (backend: MemoryQueue, operation: 'open' | 'waitForWork' | 'probe') => {
    Object.assign(backend, { [operation]: () => Promise.reject(new QueueError('store-unavailable')) });
  };

  it('a batch is spread over them', async () => {
    const names = ['a', 'other', 'b', 'other-2'];
    const outcomes = await queue.enqueue(names.map((name) => ({ type: 't', queue: name })));
    expect(outcomes).toMatchObject(names.map((name) => ({ status: 'accepted', task: { queue: name } })));
    expect((await main.queues(9)).items).toEqual(['a', 'b']);
    expect((await other.queues(9)).items).toEqual(['other', 'other-2']);
  });

  it('a batch with a task that is not valid stores nothing in either', async () => {
    const tasks = [
      { type: 't', queue: 'a' },
      { type: 't', queue: 'other', ttlMs: -1 },
    ];
    await expect(queue.enqueue(tasks)).rejects.toMatchObject({ code: 'invalid-task' });
    expect(await queue.queues(9)).toEqual({ items: [] });
  });

  it('an atomic batch is not possible', async () => {
    const tasks = [
      { type: 't', queue: 'a' },
      { type: 't', queue: 'other' },
    ];
    await expect(queue.enqueue(tasks, { atomic: true })).rejects.toMatchObject({
      code: 'batch-spans-queues',
    });
    expect(await queue.queues(9)).toEqual({ items: [] });
  });

  it('a type can be announced to go to a queue of either', async () => {
    await queue.announceTypes({ t: 'other', u: 'a' });
    const outcomes = await queue.enqueue([{ type: 't' }, { type: 'u' }]);
    expect(outcomes).toMatchObject([{ task: { queue: 'other' } }, { task: { queue: 'a' } }]);
  });

  it('names are listed together, page by page, without what is elsewhere by now', async () => {
    await main.enqueue(['a', 'c', 'e', 'other-old'].map((name) => ({ type: 't', queue: name })));
    await other.enqueue(['b', 'other', 'other-2'].map((name) => ({ type: 't', queue: name })));
    const pages: QueueName[][] = [];
    for await (const names of pagesOf((cursor) => queue.queues(2, cursor))) pages.push(names);
    expect(pages).toEqual([['a', 'c'], ['e', 'other'], ['other-2']]);
    const overviews = await queue.overview(['other', 'a', 'other-old', 'b']);
    expect(overviews.map((overview) => overview?.queue)).toEqual(['other', 'a', undefined, undefined]);
  });

  it('a settlement for one leases from the other', async () => {
    await queue.enqueue([
      { type: 't', queue: 'a' },
      { type: 't', queue: 'other' },
    ]);
    const { tasks } = await queue.lease({ ...LEASE, queue: 'a' });
    const { id, leaseToken } = tasks[0]!;
    const { outcomes, lease } = await queue.settle([{ id, leaseToken, action: 'complete' }], {
      ...LEASE,
      queue: 'other',
    });
    expect(outcomes).toMatchObject([{ state: 'completed' }]);
    expect(lease!.tasks).toMatchObject([{ queue: 'other' }]);
  });

  it('one that waits hears of work in either, and of two at once one after the other', async () => {
    for (const name of ['a', 'other']) {
      const waiting = queue.waitForWork(['a', 'other'], 60_000);
      await queue.enqueue([{ type: 't', queue: name }]);
      expect(await waiting).toBe(name);
      await queue.lease({ ...LEASE, queue: name });
    }
    await queue.enqueue([
      { type: 't', queue: 'a' },
      { type: 't', queue: 'other' },
    ]);
    const heard: (QueueName | undefined)[] = [];
    for (let i = 0; i < 2; i += 1) {
      const name = await queue.waitForWork(['a', 'other'], 60_000);
      heard.push(name);
      await queue.lease({ ...LEASE, queue: name! });
    }
    expect(new Set(heard)).toEqual(new Set(['a', 'other']));
  });

  it('one that waits hears of work in one while the other is away, and of its being away at the end', async () => {
    fail(other, 'waitForWork');
    const waiting = queue.waitForWork(['a', 'other'], 60_000);
    await queue.enqueue([{ type: 't', queue: 'a' }]);
    expect(await waiting).toBe('a');
    await expect(queue.waitForWork(['a', 'other'], 10)).rejects.toMatchObject({ code: 'store-unavailable' });
  });

  it('is in order where both are', async () => {
    expect(await queue.probe()).toMatchObject({ writeMs: expect.any(Number) });
    fail(other, 'probe');
    await expect(queue.probe()).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringMatching(/^other: /),
      data: { backends: ['other'] },
    });
    fail(main, 'probe');
    await expect(queue.probe()).rejects.toMatchObject({ data: { backends: ['main', 'other'] } });
  });

  it('is opened again where one could not be, and only that one', async () => {
    let opened = 0;
    main.open = async () => void (opened += 1);
    const open = other.open.bind(other);
    fail(other, 'open');
    await expect(queue.open()).rejects.toMatchObject({ data: { backends: ['other'] } });
    other.open = open;
    await queue.open();
    expect(opened).toBe(1);
  });

  it('an id that is none is refused before anything is done', async () => {
    const [outcome] = await queue.enqueue([{ type: 't', queue: 'a' }]);
    const { id } = (outcome as { task: { id: string } }).task;
    await expect(queue.cancel([id, 'other'])).rejects.toMatchObject({ code: 'invalid-task-id' });
    expect(await queue.get([id])).toMatchObject([{ state: 'pending' }]);
  });
});

describe('queues by their names', () => {
  const options = { address: {} };

  it('are on the backend whose pattern matches, of several the first', async () => {
    const { queue, backends } = await createQueue({
      main: 'memory',
      others: [
        { name: 'bullmq', queues: ['legacy-*', 'mail'] },
        { name: 'memory', queues: ['legacy-new', 'm*'] },
      ],
      options,
    });
    const lacking = ['legacy-', 'legacy-new', 'mail'];
    const all = ['legacy', 'mails', 'default', 'm'];
    for (const name of lacking) expect(queue.capabilities(name).has('tenants')).toBe(false);
    for (const name of all) expect(queue.capabilities(name).has('tenants')).toBe(true);
    expect(queue.capabilities().has('tenants')).toBe(true);
    expect(backends).toMatchObject({
      main: { name: 'memory', capabilities: queue.capabilities() },
      others: [
        { name: 'bullmq', queues: ['legacy-*', 'mail'], capabilities: queue.capabilities('mail') },
        { name: 'memory', queues: ['legacy-new', 'm*'] },
      ],
    });
  });

  it.each(['', '*', 'a*b', 'a b', 'a~1', '**'])('%j is no pattern', async (pattern) => {
    const others = [{ name: 'memory', queues: [pattern] }];
    await expect(createQueue({ main: 'memory', others, options })).rejects.toThrow(JSON.stringify(pattern));
  });
});
