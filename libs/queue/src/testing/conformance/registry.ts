import { LIMITS } from '../../core/limits.js';
import type { WorkerQuery } from '../../core/ports/registry.js';
import type { WorkerRegistration } from '../../core/worker.js';
import { useSubject, type Setup } from './subject.js';

const TTL_MS = 10_000;

export function describeRegistry(setup: Setup): void {
  const subject = useSubject(setup);

  const register = (id: string, rest: Partial<WorkerRegistration> = {}) =>
    subject.queue.register({ id, queues: ['emails'], ...rest }, TTL_MS);
  const ids = async (query: Partial<WorkerQuery> = {}) =>
    (await subject.queue.workers({ limit: 100, ...query })).items.map(({ id }) => id);

  // Workers are not of a queue, so a store that tests share has those of the test before.
  beforeEach(async () => {
    for (let left = await ids({ limit: 1_000 }); left.length > 0; left = await ids({ limit: 1_000 })) {
      await Promise.all(left.map((id) => subject.queue.deregister(id)));
    }
  });

  it('knows what a worker said of itself, and when', async () => {
    const said: WorkerRegistration = {
      id: 'w',
      queues: ['emails', 'default'],
      types: ['email.send'],
      host: 'büro-3',
      pid: 4_711,
      version: '1.2.3',
      labels: { gpu: 'a100', zone: 'eu' },
    };
    const at = { registeredAt: subject.now, seenAt: subject.now, expiresAt: subject.now + TTL_MS };
    expect(await register('w', said)).toEqual({ ...said, ...at });
    expect(await (await subject.another()).worker('w')).toEqual({ ...said, ...at });
  });

  it('needs an id and a queue, and nothing else', async () => {
    expect(await register('w')).toMatchObject({ id: 'w', queues: ['emails'], types: [], labels: {} });
  });

  it('keeps a worker while it is heard of, and since when', async () => {
    await register('w');
    const registeredAt = subject.now;
    subject.clock.advance(TTL_MS - 1);
    await register('w', { queues: ['others'] });
    subject.clock.advance(TTL_MS - 1);
    expect(await subject.queue.worker('w')).toMatchObject({
      queues: ['others'],
      registeredAt,
      seenAt: registeredAt + TTL_MS - 1,
    });
  });

  it('forgets one that is silent for its time', async () => {
    await register('silent');
    subject.clock.advance(TTL_MS - 1);
    await register('w');
    subject.clock.advance(1);
    expect(await subject.queue.worker('silent')).toBeUndefined();
    expect(await ids()).toEqual(['w']);
    expect(await subject.queue.tell('silent', 'quiet')).toBeUndefined();
    expect(await subject.queue.deregister('silent')).toBe(false);
  });

  it('begins anew with one that was gone', async () => {
    await register('w');
    await subject.queue.tell('w', 'quiet');
    subject.clock.advance(TTL_MS);
    const again = await register('w');
    expect(again.registeredAt).toBe(subject.now);
    expect(again.command).toBeUndefined();
    expect([...(await subject.queue.commands())]).toEqual([]);
  });

  it('forgets one that says goodbye, once', async () => {
    await register('w');
    await subject.queue.tell('w', 'terminate');
    expect(await subject.queue.deregister('w')).toBe(true);
    expect(await subject.queue.deregister('w')).toBe(false);
    expect(await ids()).toEqual([]);
    expect((await register('w')).command).toBeUndefined();
  });

  it('tells a worker what is wanted of it until something else is', async () => {
    await register('w');
    await register('other');
    expect(await subject.queue.tell('w', 'quiet')).toMatchObject({ id: 'w', command: 'quiet' });
    expect((await register('w')).command).toBe('quiet');
    await subject.queue.tell('w', 'terminate');
    expect((await register('w')).command).toBe('terminate');
    expect((await register('other')).command).toBeUndefined();
    expect([...(await subject.queue.commands())]).toEqual([['w', 'terminate']]);
    await subject.queue.tell('w');
    expect((await register('w')).command).toBeUndefined();
    expect([...(await subject.queue.commands())]).toEqual([]);
  });

  it('keeps what a worker said when it is told something', async () => {
    const before = await register('w', { labels: { gpu: 'a100' } });
    expect(await subject.queue.tell('w', 'quiet')).toEqual({ ...before, command: 'quiet' });
  });

  it('lists by id, page by page', async () => {
    for (const id of ['b', 'a', 'C', 'c']) await register(id);
    const first = await subject.queue.workers({ limit: 3 });
    expect(first.items.map(({ id }) => id)).toEqual(['C', 'a', 'b']);
    expect(await ids({ limit: 3, cursor: first.nextCursor })).toEqual(['c']);
    expect((await subject.queue.workers({ limit: 4 })).nextCursor).toBeUndefined();
  });

  it('lists those of a queue, and those with labels', async () => {
    await register('a', { queues: ['emails', 'images'], labels: { gpu: 'a100', zone: 'eu' } });
    await register('b', { queues: ['images'], labels: { gpu: 'a100', zone: 'us' } });
    await register('c');
    expect(await ids({ queue: 'images' })).toEqual(['a', 'b']);
    expect(await ids({ queue: 'emails' })).toEqual(['a', 'c']);
    expect(await ids({ labels: { gpu: 'a100' } })).toEqual(['a', 'b']);
    expect(await ids({ labels: { gpu: 'a100', zone: 'us' } })).toEqual(['b']);
    expect(await ids({ queue: 'emails', labels: { zone: 'us' } })).toEqual([]);
    const first = await subject.queue.workers({ limit: 1, queue: 'images' });
    expect(await ids({ limit: 1, queue: 'images', cursor: first.nextCursor })).toEqual(['b']);
  });

  it.each<[string, Partial<WorkerRegistration>, string]>([
    ['no queue', { queues: [] }, '/queues'],
    ['a queue that is none', { queues: ['a b'] }, '/queues/0'],
    ['a partition', { queues: ['emails~1'] }, '/queues/0'],
    ['too many queues', { queues: many(LIMITS.workerQueuesMax + 1) }, '/queues'],
    ['a type that is none', { types: [''] }, '/types/0'],
    ['too many types', { types: many(LIMITS.workerTypesMax + 1) }, '/types'],
    ['a label without a name', { labels: { '': 'x' } }, '/labels/'],
    ['a long label', { labels: { gpu: 'x'.repeat(LIMITS.workerTextCharsMax + 1) } }, '/labels/gpu'],
    ['a long host', { host: 'x'.repeat(LIMITS.workerTextCharsMax + 1) }, '/host'],
    ['a pid that is none', { pid: -1 }, '/pid'],
    ['an id that is none', { id: 'a~b' }, '/id'],
    ['much of everything', { queues: many(200), types: many(256).map((name) => name.padEnd(64, 'x')) }, ''],
  ])('refuses %s', async (_, said, pointer) => {
    await expect(register('w', said)).rejects.toMatchObject({ kind: 'invalid', data: { pointer } });
    expect(await ids()).toEqual([]);
  });

  it.each([0, LIMITS.workerTtlMsMax + 1])('refuses to remember one for %d ms', async (ttlMs) => {
    const registered = subject.queue.register({ id: 'w', queues: ['emails'] }, ttlMs);
    await expect(registered).rejects.toMatchObject({ kind: 'invalid', data: { pointer: '/ttl' } });
  });

  it('takes no more than it can remember, until some are gone', async () => {
    await registerMany(LIMITS.workersMax);
    await expect(register('more')).rejects.toMatchObject({ code: 'too-many-workers' });
    expect((await register('w7')).id).toBe('w7');
    subject.clock.advance(TTL_MS);
    expect((await register('more')).id).toBe('more');
  });

  async function registerMany(count: number): Promise<void> {
    const names = many(count);
    for (let at = 0; at < count; at += 500) {
      await Promise.all(names.slice(at, at + 500).map((id) => register(id)));
    }
  }
}

function many(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `w${i}`);
}
