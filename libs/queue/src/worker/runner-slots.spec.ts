import type { Settlement } from '../core/ports/consumer.js';
import type { NewTask } from '../core/ports/producer.js';
import { event, setUpRunner, untilAborted } from '../testing/test-runner.js';
import { SlowDown } from './errors.js';
import type { HandlerContext, HandlerDefinition } from './handler.js';

describe('slots', () => {
  test('no more tasks run at once than there are slots, and all slots are used', async () => {
    let running = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    const { runner, submit, end } = setUpRunner([{ type: 't', run }], { concurrency: 3 });
    runner.start();
    const ids = await submit(...Array.from({ length: 50 }, () => ({ type: 't' })));
    await Promise.all(ids.map(end));
    expect(most).toBe(3);
  });

  test('results of one turn travel together and bring the next tasks back', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => {} }], { concurrency: 10 });
    const ids = await submit(...Array.from({ length: 100 }, () => ({ type: 't' })));
    runner.start();
    await Promise.all(ids.map(end));
    const settles = queue.calls.filter(({ name }) => name === 'settle');
    expect(settles.map(({ args }) => (args[0] as Settlement[]).length)).toEqual(Array(10).fill(10));
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThanOrEqual(2);
  });

  test('a queue is heard although another one fills every slot', async () => {
    const a = { type: 'a', queue: 'a', run: () => new Promise((resolve) => setTimeout(resolve, 1)) };
    const { runner, submit, end, state } = setUpRunner([a, { type: 'b', queue: 'b', run: () => 1 }], {
      concurrency: 2,
    });
    const many = await submit(...Array.from({ length: 500 }, () => ({ type: 'a', queue: 'a' })));
    runner.start();
    await end(many[10]!);
    const [id] = await submit({ type: 'b', queue: 'b' });
    await end(id!);
    expect(await state(many.at(-1)!)).toBe('pending');
  });

  test('a wake token that arrives while no slot is free goes to another worker', async () => {
    const begun = event();
    const busy = {
      type: 'busy',
      queue: 'busy',
      run: (context: HandlerContext) => {
        begun.happen();
        return untilAborted(context);
      },
    };
    const { runner, another, submit, end } = setUpRunner([busy, { type: 'b', queue: 'b', run: () => 1 }], {
      concurrency: 1,
    });
    runner.start();
    await submit({ type: 'busy', queue: 'busy' });
    await begun.happened;
    const handler = { type: 'b', queue: 'b', run: () => 'other' };
    another('w2', [handler], { fallbackMs: 60_000 }).start();
    const [id] = await submit({ type: 'b', queue: 'b' });
    expect(await end(id!)).toMatchObject({ result: '"other"' });
  });

  test("tasks over their handler's own limit wait in the worker, and nothing more is leased meanwhile", async () => {
    const begun = event();
    const gate = event();
    let started = 0;
    const run = async () => {
      started++;
      begun.happen();
      await gate.happened;
    };
    const { runner, submit, end, state } = setUpRunner([{ type: 't', concurrency: 1, run }], {
      concurrency: 3,
    });
    const ids = await submit(...Array.from({ length: 6 }, () => ({ type: 't' })));
    runner.start();
    await begun.happened;
    expect(started).toBe(1);
    expect(await Promise.all(ids.map(state))).toEqual([
      'running',
      'running',
      'running',
      'pending',
      'pending',
      'pending',
    ]);
    gate.happen();
    await Promise.all(ids.map(end));
    expect(started).toBe(6);
  });

  test('a queue added while the worker runs is served', async () => {
    const names = ['default'];
    const { runner, submit, end } = setUpRunner([{ type: 't', run: () => 1 }], { queues: () => names });
    runner.start();
    const [id] = await submit({ type: 't', queue: 'new' });
    names.push('new');
    runner.queuesChanged(['new']);
    expect(await end(id!)).toMatchObject({ state: 'completed' });
  });
});

describe('whom a worker serves', () => {
  const order: string[] = [];
  const handler: HandlerDefinition = { type: 't', run: ({ tenant }) => void order.push(tenant) };
  const tasksOf = (...tenants: string[]): NewTask[] => tenants.map((tenant) => ({ type: 't', tenant }));
  beforeEach(() => void order.splice(0));

  test('the tasks of its tenants come before those of all others', async () => {
    const { runner, submit, end } = setUpRunner([handler], { tenants: ['own'], concurrency: 1 });
    const urgent = tasksOf('other', 'other').map((task): NewTask => ({ ...task, priority: 6 }));
    const ids = await submit(...urgent, ...tasksOf('own', 'own'));
    runner.start();
    await Promise.all(ids.map(end));
    expect(order).toEqual(['own', 'own', 'other', 'other']);
  });

  test('a worker that may not steal leaves the others alone, and hears of what comes for its own', async () => {
    const { runner, submit, end, state, queue } = setUpRunner([handler], {
      tenants: ['own'],
      steal: false,
      fallbackMs: 60_000,
    });
    const [other] = await submit(...tasksOf('other'));
    runner.start();
    while (!queue.calls.some(({ name }) => name === 'waitForWork')) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const [own] = await submit(...tasksOf('own'));
    await end(own!);
    expect(await state(other!)).toBe('pending');
  });

  test('a lease that travels with a settlement serves the same tenants', async () => {
    const { runner, submit, end, state, queue } = setUpRunner([handler], {
      tenants: ['own'],
      steal: ['friend'],
      concurrency: 1,
    });
    const [other, ...ids] = await submit(...tasksOf('other', 'own', 'friend', 'own'));
    runner.start();
    await Promise.all(ids.map(end));
    expect(order).toEqual(['own', 'own', 'friend']);
    const fused = queue.calls.filter(({ name }) => name === 'settle').map(({ args }) => args[1]);
    expect(fused[0]).toMatchObject({ tenants: ['own'], steal: ['friend'] });
    expect(await state(other!)).toBe('pending');
  });

  test('a worker that would serve nobody is refused', () => {
    expect(() => setUpRunner([handler], { steal: false })).toThrow('must serve some tenants');
  });
});

describe('what a queue may start', () => {
  test('a rate is used up without polling, by many workers', async () => {
    const { runner, another, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }], {
      fallbackMs: 60_000,
    });
    await queue.configure('default', { rate: { limit: 100, perMs: 1_000, burst: 1 } });
    const ids = await submit(...Array.from({ length: 20 }, () => ({ type: 't' })));
    for (const workerId of ['w2', 'w3', 'w4']) {
      another(workerId, [{ type: 't', run: () => 1 }], { fallbackMs: 60_000 }).start();
    }
    runner.start();
    await Promise.all(ids.map(end));
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThan(20 * 6);
  });

  test('what a rate allows while one worker is busy is started by another', async () => {
    const held = { type: 't', run: untilAborted };
    const { runner, another, submit, queue } = setUpRunner([held], { concurrency: 1, fallbackMs: 60_000 });
    await queue.configure('default', { rate: { limit: 20, perMs: 1_000, burst: 1 } });
    const begun = [event(), event()];
    const seen = begun.map(({ happened }) => happened);
    const other = another('w2', [{ type: 't', run: () => begun[1]!.happen() }], {
      concurrency: 1,
      fallbackMs: 60_000,
    });
    held.run = (context) => {
      begun[0]!.happen();
      return untilAborted(context);
    };
    runner.start();
    await submit({ type: 't' }, { type: 't' });
    await seen[0];
    other.start();
    await seen[1];
  });

  test('a paused queue is left alone until it is resumed', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }], { fallbackMs: 60_000 });
    await queue.pause('default');
    const [id] = await submit({ type: 't' });
    runner.start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThan(4);
    await queue.resume('default');
    expect(await end(id!)).toMatchObject({ state: 'completed' });
  });

  test('a handler slows its queue down: the attempt is not counted, and the queue goes on after the time', async () => {
    let calls = 0;
    const run = () => {
      if (++calls === 1) throw new SlowDown('The mail service is overloaded.', 150);
    };
    const { runner, submit, end, queue, ends } = setUpRunner([{ type: 't', run }], {
      concurrency: 1,
      fallbackMs: 60_000,
    });
    runner.start();
    const ids = await submit({ type: 't' }, { type: 't' });
    const [task] = await Promise.all(ids.map(end));
    expect(task).toMatchObject({ state: 'completed', attempt: 1, failures: 0, errors: [] });
    await runner.drain(1_000);
    expect(ends).toEqual(['released', 'completed', 'completed']);
    const settlements = queue.calls.filter(({ name }) => name === 'settle').map(({ args }) => args[0]);
    expect(settlements[0]).toMatchObject([{ id: ids[0], action: 'release', retryAfterMs: 150 }]);
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThan(8);
  });
});
