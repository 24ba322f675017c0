import { event, setUpRunner } from '../testing/test-runner.js';

describe('when the store is in trouble', () => {
  test('a settlement whose reply got lost is repeated and counts once', async () => {
    const { runner, submit, end, queue, ends } = setUpRunner([{ type: 't', run: () => 1 }]);
    queue.faults.settle = ['before', 'after'];
    runner.start();
    const [id] = await submit({ type: 't' });
    await end(id!);
    await runner.drain(1_000);
    expect(ends).toEqual(['completed']);
  });

  test('a lease whose reply got lost is repeated with the same identity, and nothing is left behind', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }]);
    const ids = await submit({ type: 't' }, { type: 't' });
    queue.faults.lease = ['after'];
    runner.start();
    const tasks = await Promise.all(ids.map(end));
    expect(tasks).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
  });

  test('tasks that came with a lost reply to a settlement are not left behind', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }], { concurrency: 1 });
    const ids = await submit({ type: 't' }, { type: 't' }, { type: 't' });
    queue.faults.settle = ['after'];
    runner.start();
    expect(await Promise.all(ids.map(end))).toMatchObject([{ attempt: 1 }, { attempt: 1 }, { attempt: 1 }]);
  });

  test('a wait that fails is begun again', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }]);
    queue.faults.waitForWork = ['before', 'after', 'before'];
    runner.start();
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed' });
  });

  test('a heartbeat that fails changes nothing', async () => {
    const beats = event();
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => beats.happened }], {
      leaseMs: 1_000,
    });
    queue.faults.extend = ['before'];
    let count = 0;
    const { extend } = queue;
    queue.extend = (...args) => {
      if (++count === 2) beats.happen();
      return extend.apply(queue, args);
    };
    runner.start();
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed', crashes: 0 });
  });

  test('a wake token that died with its finder is made up for', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }], { fallbackMs: 30 });
    runner.start();
    queue.waitForWork = async (_queues, timeoutMs) => {
      await new Promise((resolve) => setTimeout(resolve, timeoutMs));
      return undefined;
    };
    runner.queuesChanged([]);
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed' });
  });
});
