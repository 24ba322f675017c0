import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createRedisQueue, type Queue, type RedisQueueOptions } from '@app/queue';
import { Redis } from 'ioredis';
import { forgetScripts, ownRedis } from '../support/redis.js';
import { until } from '../support/until.js';

type Server = Awaited<ReturnType<typeof ownRedis>>;

let master: Server;
let admin: Redis;
const opened: Queue[] = [];

beforeAll(async () => {
  master = await ownRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  admin = new Redis(master.url);
});
afterEach(() => Promise.all(opened.splice(0).map((queue) => queue.close())));
afterAll(async () => {
  await admin?.quit();
  await master?.cleanup();
});

async function openStrict(options: Partial<RedisQueueOptions> = {}): Promise<Queue> {
  const queue = createRedisQueue({ address: { url: master.url }, durability: 'strict', ...options });
  opened.push(queue);
  await queue.open();
  return queue;
}

describe('a server that does not keep what it answers', () => {
  test.each([
    ['appendonly', 'no', 'yes'],
    ['appendfsync', 'everysec', 'always'],
    ['no-appendfsync-on-rewrite', 'yes', 'no'],
  ])('is refused for %s %s', async (setting, wrong, right) => {
    await admin.config('SET', setting, wrong);
    await expect(openStrict()).rejects.toMatchObject({
      code: 'store-unsuitable',
      message: expect.stringContaining(`set ${setting} ${right}`),
    });
    await admin.config('SET', setting, right);
    await openStrict();
  });

  test('and does not show its settings is warned of', async () => {
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-config');
    const warned: string[] = [];
    const logger = {
      info: () => undefined,
      error: () => undefined,
      warn: (line: string) => void warned.push(line),
    };
    await openStrict({ address: { url: master.url, username: 'app', password: 'secret' }, logger });
    expect(warned.join()).toMatch(/does not show its appendfsync/);
  });
});

describe('with a replica', () => {
  let replica: Server;
  let queue: Queue;

  beforeAll(async () => {
    replica = await ownRedis({ args: ['--replicaof', `127.0.0.1 ${master.server.port}`] });
    await until(async () => (await admin.info('replication')).includes('state=online'));
  }, 30_000);
  beforeEach(async () => {
    await admin.flushall();
    queue = await openStrict({ replicas: 1 });
  });
  afterEach(() => {
    process.kill(replica.server.pid, 'SIGCONT');
  });
  afterAll(() => replica?.cleanup());

  const add = async (by = queue, key?: string) => {
    const [outcome] = await by.enqueue([{ type: 't', queue: 'q', key }]);
    if (outcome?.status === 'refused') throw outcome.error;
    return outcome!.task.id;
  };
  const take = async () => {
    const { tasks } = await queue.lease({ queue: 'q', workerId: 'w', max: 1, leaseMs: 60_000 });
    return tasks[0]!;
  };
  const unconfirmed = {
    kind: 'unavailable',
    message: expect.stringMatching(/^Only 0 of the 1 replicas .* repeat it with the same identity/),
  };

  test('what it has is answered, also after Redis has forgotten the scripts', async () => {
    const id = await add();
    await forgetScripts(admin);
    await add();
    const copy = new Redis(replica.url);
    expect(await copy.exists(`fairlane:{q}:task:${id.slice('q~'.length)}`)).toBe(1);
    await copy.quit();
  });

  test('whatever promises something is not answered while the replica does not have it', async () => {
    const [waiting, ended] = [await add(), await add()];
    await queue.cancel([ended]);
    await add();
    const { id, leaseToken } = await take();
    process.kill(replica.server.pid, 'SIGSTOP');

    await expect(add()).rejects.toMatchObject(unconfirmed);
    await expect(queue.settle([{ id, leaseToken, action: 'complete' }])).rejects.toMatchObject(unconfirmed);
    await expect(queue.cancel([waiting])).rejects.toMatchObject(unconfirmed);
    await expect(queue.retry([ended])).rejects.toMatchObject(unconfirmed);
    await expect(queue.update([{ id: waiting, priority: 1 }])).rejects.toMatchObject(unconfirmed);
    await expect(queue.remove([ended])).rejects.toMatchObject(unconfirmed);
    await expect(queue.configure('q', { concurrency: 1 })).rejects.toMatchObject(unconfirmed);
    await expect(queue.pause('q')).rejects.toMatchObject(unconfirmed);
    await expect(queue.purge({ queue: 'q', state: 'pending' })).rejects.toMatchObject(unconfirmed);

    process.kill(replica.server.pid, 'SIGCONT');
    expect((await queue.settle([{ id, leaseToken, action: 'complete' }])).outcomes).toEqual([
      { status: 'settled', state: 'completed' },
    ]);
  }, 30_000);

  test('a settlement that is not confirmed takes no next task along', async () => {
    const [first, second] = [await add(), await add()];
    const { id, leaseToken } = await take();
    process.kill(replica.server.pid, 'SIGSTOP');
    const next = { queue: 'q', workerId: 'w', max: 1, leaseMs: 60_000 };
    const settle = () => queue.settle([{ id, leaseToken, action: 'complete' }], next);
    await expect(settle()).rejects.toMatchObject(unconfirmed);
    expect(id).toBe(first);
    expect((await queue.get([second]))[0]).toMatchObject({ state: 'pending' });

    process.kill(replica.server.pid, 'SIGCONT');
    const { outcomes, lease } = await settle();
    expect(outcomes).toEqual([{ status: 'settled', state: 'completed' }]);
    expect(lease?.tasks).toMatchObject([{ id: second }]);
  }, 30_000);

  test('reading, leasing and extending go on without the replica', async () => {
    const id = await add();
    process.kill(replica.server.pid, 'SIGSTOP');
    const held = add().catch((error: unknown) => error);
    let waiting: string | undefined;
    while (!waiting) {
      waiting = String(await admin.call('CLIENT', 'LIST'))
        .split('\n')
        .find((client) => client.includes(' cmd=wait '));
    }
    expect(waiting).toContain(' name=fairlane-strict ');

    const leased = await take();
    expect(leased.id).toBe(id);
    expect((await queue.extend([leased], 60_000))[0]).toMatchObject({ status: 'extended' });
    expect((await queue.get([id]))[0]).toMatchObject({ state: 'running' });
    expect((await queue.list({ queue: 'q', order: 'oldest', limit: 10 })).items).not.toEqual([]);
    await Promise.all([queue.promote('q'), queue.reap('q'), queue.prune('q')]);
    expect(await held).toMatchObject(unconfirmed);
  });

  test('a repeat is answered no sooner than the first try, whoever repeats', async () => {
    process.kill(replica.server.pid, 'SIGSTOP');
    const another = await openStrict({ replicas: 1 });
    await expect(add(queue, 'once')).rejects.toMatchObject(unconfirmed);
    await admin.del('fairlane:{q}:confirmed');
    await expect(add(another, 'once')).rejects.toMatchObject(unconfirmed);
    // From Redis 7.2 on WAIT lets pass a connection that itself wrote nothing.
    expect(await admin.exists('fairlane:{q}:confirmed')).toBe(1);

    process.kill(replica.server.pid, 'SIGCONT');
    await add(another, 'once');
    expect((await queue.overview(['q']))[0]?.states.pending).toBe(1);
  });

  test('many calls at once share their waits', async () => {
    await Promise.all(Array.from({ length: 300 }, (_, n) => add(queue, `k${n}`)));
    expect((await queue.overview(['q']))[0]?.states.pending).toBe(300);
    process.kill(replica.server.pid, 'SIGSTOP');
    const calls = Array.from({ length: 300 }, (_, n) => queue.cancel([`q~k${n}`]));
    for (const result of await Promise.allSettled(calls)) expect(result.status).toBe('rejected');
  });
});
