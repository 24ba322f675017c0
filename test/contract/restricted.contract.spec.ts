import { ALL_CAPABILITIES, type Capability, restrictQueue } from '@app/queue';
import { MemoryQueue } from '@app/queue/testing';

const without = (...missing: Capability[]) =>
  new Set([...ALL_CAPABILITIES].filter((capability) => !missing.includes(capability)));

describe('what is refused of several', () => {
  const open = (...missing: Capability[]) => restrictQueue(new MemoryQueue(), without(...missing));

  it('is what asks for the missing, and the others are done', async () => {
    const queue = open('ttl', 'hold-back');
    const outcomes = await queue.enqueue([
      { type: 'a', key: '1' },
      { type: 'a', key: '2', ttlMs: 5 },
      { type: 'a', key: '3' },
    ]);
    expect(outcomes).toMatchObject([
      { status: 'accepted', task: { id: 'default~1' } },
      { status: 'refused', error: { code: 'capability-not-supported', data: { pointer: '/ttl' } } },
      { status: 'accepted', task: { id: 'default~3' } },
    ]);
    const { tasks } = await queue.lease({ queue: 'default', workerId: 'w', max: 2, leaseMs: 5_000 });
    const [first, second] = tasks.map(({ id, leaseToken }) => ({ id, leaseToken }));
    const settled = await queue.settle([
      { ...first!, action: 'release', retryAfterMs: 5 },
      { ...second!, action: 'complete' },
    ]);
    expect(settled.outcomes).toMatchObject([
      { error: { data: { capability: 'hold-back' } } },
      { state: 'completed' },
    ]);
    expect((await queue.get([first!.id]))[0]).toMatchObject({ state: 'running' });
  });

  it('is all of an atomic batch', async () => {
    const queue = open('metadata');
    const outcomes = await queue.enqueue([{ type: 'a' }, { type: 'a', tags: ['t'] }], { atomic: true });
    expect(outcomes).toMatchObject([1, 2].map(() => ({ error: { data: { capability: 'metadata' } } })));
    expect(await queue.overview(['default'])).toEqual([undefined]);
  });

  it('is told of a task that is not valid as such, and nothing is stored', async () => {
    const queue = open('ttl');
    const tasks = [{ type: 'a' }, { type: 'a', ttlMs: 5 }, { type: 'not valid' }];
    await expect(queue.enqueue(tasks)).rejects.toMatchObject({ code: 'invalid-task' });
    expect(await queue.overview(['default'])).toEqual([undefined]);
  });

  it('is nothing where the default is spelled out', async () => {
    const queue = open('tenants', 'metadata', 'stealing', 'partitions', 'fifo');
    const [outcome] = await queue.enqueue([{ type: 'a', tenant: 'default', tags: [], metadata: {} }]);
    expect(outcome).toMatchObject({ status: 'accepted' });
    await queue.configure('default', { mode: 'fair', partitions: 1 });
    const request = { queue: 'default', workerId: 'w', max: 1, leaseMs: 5_000, tenants: [], steal: true };
    expect((await queue.lease(request)).tasks).toHaveLength(1);
  });
});
