import type { Clock } from '../core/clock.js';
import { QueueError } from '../core/errors.js';
import type { NewTask, Settlement } from '../core/ports.js';
import type { Task, TaskState } from '../core/task.js';
import { MemoryQueue } from '../memory/memory-queue.js';
import type { HandlerContext, HandlerDefinition } from './handler.js';
import { SlowDown } from './errors.js';
import { HandlerTable } from './handler-table.js';
import type { AttemptOutcome } from './meter.js';
import { NO_METER } from './meter.js';
import { Runner, type RunnerOptions } from './runner.js';

/** Real time, that a test can move forward. */
class MovableClock implements Clock {
  aheadMs = 0;
  now() {
    return Date.now() + this.aheadMs;
  }
}

/** A MemoryQueue whose next calls of a kind can be made to fail before or after they take effect. */
class FaultyQueue extends MemoryQueue {
  readonly faults = {
    lease: [] as Fault[],
    settle: [] as Fault[],
    extend: [] as Fault[],
    waitForWork: [] as Fault[],
  };
  readonly calls: { name: string; args: readonly unknown[] }[] = [];

  override lease(...args: Parameters<MemoryQueue['lease']>) {
    return this.#call('lease', args, () => super.lease(...args));
  }
  override settle(...args: Parameters<MemoryQueue['settle']>) {
    return this.#call('settle', args, () => super.settle(...args));
  }
  override extend(...args: Parameters<MemoryQueue['extend']>) {
    return this.#call('extend', args, () => super.extend(...args));
  }
  override waitForWork(...args: Parameters<MemoryQueue['waitForWork']>) {
    return this.#call('waitForWork', args, () => super.waitForWork(...args));
  }

  #nested = false;

  async #call<T>(
    name: keyof FaultyQueue['faults'],
    args: readonly unknown[],
    act: () => Promise<T>,
  ): Promise<T> {
    // MemoryQueue settles and leases in one call by calling itself.
    if (this.#nested) return act();
    this.calls.push({ name, args });
    const fault = this.faults[name].shift();
    if (fault === 'before') throw new QueueError('store-unavailable');
    this.#nested = true;
    const acting = act();
    this.#nested = false;
    const result = await acting;
    if (fault === 'after') throw new QueueError('store-unavailable');
    return result;
  }
}
type Fault = 'before' | 'after';

const runners: Runner[] = [];

afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.releaseNow()));
});

function setup(handlers: HandlerDefinition[], options: Partial<RunnerOptions> = {}) {
  const clock = new MovableClock();
  const queue = new FaultyQueue({ clock });
  const ends: AttemptOutcome[] = [];
  const table = new HandlerTable(handlers);
  const runner = new Runner({
    queue,
    handlers: table,
    queues: table.queues(),
    workerId: 'w1',
    meter: { ...NO_METER, attemptEnded: (_queue, _type, outcome) => void ends.push(outcome) },
    ...options,
  });
  runners.push(runner);
  const submit = async (...tasks: NewTask[]): Promise<string[]> =>
    (await queue.enqueue(tasks)).map((outcome) => {
      if (outcome.status === 'refused') throw outcome.error;
      return outcome.task.id;
    });
  const end = async (id: string): Promise<Task> => (await queue.waitForEnd(id, 10_000))!;
  const state = async (id: string): Promise<TaskState> => (await queue.get([id]))[0]!.state;
  return { queue, clock, runner, submit, end, state, ends };
}

/** Something a test waits for, and a handler brings about. */
function event<T = void>() {
  let happen!: (value: T) => void;
  const happened = new Promise<T>((resolve) => (happen = resolve));
  return { happen, happened };
}

const untilAborted = ({ signal }: HandlerContext) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('executing', () => {
  test('a task is executed and its result stored', async () => {
    const { runner, submit, end } = setup([{ type: 't', run: ({ payload }) => payload.a + 1 }]);
    runner.start();
    const [id] = await submit({ type: 't', payload: '{"a":1}' });
    expect(await end(id!)).toMatchObject({ state: 'completed', result: '2', attempt: 1 });
  });

  test('tasks that were waiting before the worker came are executed, the first first', async () => {
    const order: unknown[] = [];
    const { runner, submit, end } = setup([{ type: 't', run: ({ payload }) => void order.push(payload) }], {
      concurrency: 2,
    });
    const ids = await submit(...[1, 2, 3, 4, 5].map((n) => ({ type: 't', payload: String(n) })));
    runner.start();
    await end(ids[4]!);
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  test('a failed attempt is followed by another that knows about it', async () => {
    const run = ({ attempt, previousErrors }: HandlerContext) => {
      if (attempt === 1) throw new Error('first');
      return previousErrors.map(({ message }) => message);
    };
    const { runner, submit, end } = setup([{ type: 't', retry: { delayMs: 1, jitter: 'none' }, run }]);
    runner.start();
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed', result: '["first"]', attempt: 2 });
  });

  test('a task whose type has no handler here follows its retry policy', async () => {
    const { runner, submit, end } = setup([{ type: 't', run: () => 1 }]);
    runner.start();
    const retry = { maxAttempts: 2, backoff: 'fixed', delayMs: 1, maxDelayMs: 1, jitter: 'none' } as const;
    const [id] = await submit({ type: 'other', retry });
    const task = await end(id!);
    expect(task).toMatchObject({ state: 'failed', failureReason: 'attempts-exhausted', failures: 2 });
    expect(task.errors.map(({ code }) => code)).toEqual(['no-handler', 'no-handler']);
  });

  test('a delayed task starts when it is due although nothing else happens', async () => {
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }], { fallbackMs: 60_000 });
    const [id] = await submit({ type: 't', delayMs: 60 });
    runner.start();
    const task = await end(id!);
    expect(task.startedAt! - task.createdAt).toBeGreaterThanOrEqual(60);
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThan(5);
  });

  test('log lines and the last progress are stored with the end', async () => {
    const { runner, submit, end, queue } = setup([
      {
        type: 't',
        run: ({ progress, log }) => {
          log('one');
          progress({ percent: 100 });
          log('two');
        },
      },
    ]);
    runner.start();
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed', progress: '{"percent":100}' });
    expect((await queue.logs(id!)).map(({ message }) => message)).toEqual(['one', 'two']);
  });

  test('progress and log lines can be seen while the handler runs', async () => {
    const { runner, submit, queue } = setup(
      [
        {
          type: 't',
          run: (context) => {
            context.progress(1);
            context.log('begun');
            return untilAborted(context);
          },
        },
      ],
      { leaseMs: 1_000 },
    );
    const extended = event();
    const { extend } = queue;
    queue.extend = async (...args) => {
      const outcomes = await extend.apply(queue, args);
      extended.happen();
      return outcomes;
    };
    runner.start();
    const [id] = await submit({ type: 't' });
    await extended.happened;
    expect((await queue.get([id!]))[0]).toMatchObject({ state: 'running', progress: '1' });
    expect(await queue.logs(id!)).toMatchObject([{ message: 'begun' }]);
  });
});

describe('slots', () => {
  test('no more tasks run at once than there are slots, and all slots are used', async () => {
    let running = 0;
    let most = 0;
    const run = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    const { runner, submit, end } = setup([{ type: 't', run }], { concurrency: 3 });
    runner.start();
    const ids = await submit(...Array.from({ length: 50 }, () => ({ type: 't' })));
    await Promise.all(ids.map(end));
    expect(most).toBe(3);
  });

  test('results of one turn travel together and bring the next tasks back', async () => {
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => {} }], { concurrency: 10 });
    const ids = await submit(...Array.from({ length: 100 }, () => ({ type: 't' })));
    runner.start();
    await Promise.all(ids.map(end));
    const settles = queue.calls.filter(({ name }) => name === 'settle');
    expect(settles.map(({ args }) => (args[0] as Settlement[]).length)).toEqual(Array(10).fill(10));
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThanOrEqual(2);
  });

  test('a queue is heard although another one fills every slot', async () => {
    const a = { type: 'a', queue: 'a', run: () => new Promise((resolve) => setTimeout(resolve, 1)) };
    const { runner, submit, end, state } = setup([a, { type: 'b', queue: 'b', run: () => 1 }], {
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
    const { runner, submit, end, queue } = setup([busy, { type: 'b', queue: 'b', run: () => 1 }], {
      concurrency: 1,
    });
    runner.start();
    await submit({ type: 'busy', queue: 'busy' });
    await begun.happened;
    const other = new Runner({
      queue,
      handlers: new HandlerTable([{ type: 'b', queue: 'b', run: () => 'other' }]),
      queues: ['b'],
      workerId: 'w2',
      fallbackMs: 60_000,
    });
    runners.push(other);
    other.start();
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
    const { runner, submit, end, state } = setup([{ type: 't', concurrency: 1, run }], { concurrency: 3 });
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
    const { runner, submit, end } = setup([{ type: 't', run: () => 1 }], { queues: () => names });
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
    const { runner, submit, end } = setup([handler], { tenants: ['own'], concurrency: 1 });
    const urgent = tasksOf('other', 'other').map((task): NewTask => ({ ...task, priority: 6 }));
    const ids = await submit(...urgent, ...tasksOf('own', 'own'));
    runner.start();
    await Promise.all(ids.map(end));
    expect(order).toEqual(['own', 'own', 'other', 'other']);
  });

  test('a worker that may not steal leaves the others alone, and hears of what comes for its own', async () => {
    const { runner, submit, end, state, queue } = setup([handler], {
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
    const { runner, submit, end, state, queue } = setup([handler], {
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
    expect(() => setup([handler], { steal: false })).toThrow('must serve some tenants');
  });
});

describe('what a queue may start', () => {
  test('a rate is used up without polling, by many workers', async () => {
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }], { fallbackMs: 60_000 });
    await queue.configure('default', { rate: { limit: 100, perMs: 1_000, burst: 1 } });
    const ids = await submit(...Array.from({ length: 20 }, () => ({ type: 't' })));
    for (const workerId of ['w2', 'w3', 'w4']) {
      const handlers = new HandlerTable([{ type: 't', run: () => 1 }]);
      const other = new Runner({ queue, handlers, queues: ['default'], workerId, fallbackMs: 60_000 });
      runners.push(other);
      other.start();
    }
    runner.start();
    await Promise.all(ids.map(end));
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThan(20 * 6);
  });

  test('what a rate allows while one worker is busy is started by another', async () => {
    const held = { type: 't', run: untilAborted };
    const { runner, submit, queue } = setup([held], { concurrency: 1, fallbackMs: 60_000 });
    await queue.configure('default', { rate: { limit: 20, perMs: 1_000, burst: 1 } });
    const begun = [event(), event()];
    const seen = begun.map(({ happened }) => happened);
    const other = new Runner({
      queue,
      handlers: new HandlerTable([{ type: 't', run: () => begun[1]!.happen() }]),
      queues: ['default'],
      workerId: 'w2',
      concurrency: 1,
      fallbackMs: 60_000,
    });
    runners.push(other);
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
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }], { fallbackMs: 60_000 });
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
    const { runner, submit, end, queue, ends } = setup([{ type: 't', run }], {
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

describe('when the store is in trouble', () => {
  test('a settlement whose reply got lost is repeated and counts once', async () => {
    const { runner, submit, end, queue, ends } = setup([{ type: 't', run: () => 1 }]);
    queue.faults.settle = ['before', 'after'];
    runner.start();
    const [id] = await submit({ type: 't' });
    await end(id!);
    await runner.drain(1_000);
    expect(ends).toEqual(['completed']);
  });

  test('a lease whose reply got lost is repeated with the same identity, and nothing is left behind', async () => {
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }]);
    const ids = await submit({ type: 't' }, { type: 't' });
    queue.faults.lease = ['after'];
    runner.start();
    const tasks = await Promise.all(ids.map(end));
    expect(tasks).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
  });

  test('tasks that came with a lost reply to a settlement are not left behind', async () => {
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }], { concurrency: 1 });
    const ids = await submit({ type: 't' }, { type: 't' }, { type: 't' });
    queue.faults.settle = ['after'];
    runner.start();
    expect(await Promise.all(ids.map(end))).toMatchObject([{ attempt: 1 }, { attempt: 1 }, { attempt: 1 }]);
  });

  test('a wait that fails is begun again', async () => {
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }]);
    queue.faults.waitForWork = ['before', 'after', 'before'];
    runner.start();
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed' });
  });

  test('a heartbeat that fails changes nothing', async () => {
    const beats = event();
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => beats.happened }], {
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
    const { runner, submit, end, queue } = setup([{ type: 't', run: () => 1 }], { fallbackMs: 30 });
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

describe('stopping an attempt', () => {
  test('a handler whose task is cancelled is told, and the task ends as cancelled', async () => {
    const begun = event();
    const run = (context: HandlerContext) => {
      begun.happen();
      return untilAborted(context);
    };
    const { runner, submit, end, queue, ends } = setup([{ type: 't', run }], { leaseMs: 1_000 });
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    await queue.cancel([id!]);
    expect(await end(id!)).toMatchObject({ state: 'cancelled' });
    await runner.drain(1_000);
    expect(ends).toEqual(['cancelled']);
  });

  test('a handler whose lease was lost is told, and what it returns is void', async () => {
    const begun = event();
    const stopped = event<unknown>();
    const run = ({ signal }: HandlerContext) =>
      new Promise((resolve) => {
        begun.happen();
        signal.addEventListener('abort', () => {
          stopped.happen(signal.reason.code);
          resolve('too late');
        });
      });
    const { runner, submit, queue, clock, ends, state } = setup([{ type: 't', run }], { leaseMs: 1_000 });
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    // Somebody else has the task by now.
    for (let reaped = 0; reaped === 0;) {
      clock.aheadMs += 1_100;
      reaped = (await queue.reap('default')).count;
    }
    await queue.lease({ queue: 'default', workerId: 'other', max: 1, leaseMs: 60_000 });
    expect(await stopped.happened).toBe('lease-lost');
    await runner.drain(1_000);
    expect(ends).toEqual(['lease-lost']);
    expect(await state(id!)).toBe('running');
  });
});

describe('stopping the worker', () => {
  test('draining lets what runs finish and takes nothing more', async () => {
    const begun = event();
    const finish = event();
    const run = async () => {
      begun.happen();
      await finish.happened;
    };
    const { runner, submit, state, end } = setup([{ type: 't', run }], { concurrency: 1 });
    const ids = await submit({ type: 't' }, { type: 't' });
    runner.start();
    await begun.happened;
    const drained = runner.drain(10_000);
    finish.happen();
    await drained;
    expect((await end(ids[0]!)).state).toBe('completed');
    expect(await state(ids[1]!)).toBe('pending');
  });

  test('what does not finish in time is told, released, and the attempt is not counted', async () => {
    const begun = event();
    const reasons: string[] = [];
    const run = (context: HandlerContext) => {
      begun.happen();
      context.signal.addEventListener('abort', () => reasons.push(context.signal.reason.code));
      return untilAborted(context);
    };
    const { runner, submit, queue, ends } = setup([{ type: 't', run }]);
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    await runner.drain(1);
    expect((await queue.get([id!]))[0]).toMatchObject({ state: 'pending', attempt: 0 });
    expect([reasons, ends]).toEqual([['shutdown'], ['released']]);
  });

  test('a handler that ignores the shutdown is released all the same', async () => {
    const begun = event();
    const run = () => {
      begun.happen();
      return new Promise(() => {});
    };
    const { runner, submit, state } = setup([{ type: 't', run }], { shutdownGraceMs: 1 });
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    await runner.drain(1);
    expect(await state(id!)).toBe('pending');
  });

  test('after an error that nobody caught nothing is released, so that its cause counts as a crash', async () => {
    const begun = event();
    const run = () => {
      begun.happen();
      return new Promise(() => {});
    };
    const { queue, clock, runner, submit, ends } = setup([{ type: 't', run }], { shutdownGraceMs: 1 });
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    await queue.reap('default');
    await runner.drain(1, { crashed: true });
    expect((await queue.get([id!]))[0]).toMatchObject({ state: 'running', attempt: 1 });
    expect(ends).toEqual(['lease-lost']);
    for (let second = 0; second <= 30; second += 3) {
      clock.aheadMs = second * 1_000;
      await queue.reap('default');
    }
    expect((await queue.get([id!]))[0]).toMatchObject({ state: 'pending', attempt: 1, crashes: 1 });
  });

  test('a second request to stop does not wait for handlers', async () => {
    const begun = event();
    const run = () => {
      begun.happen();
      return new Promise(() => {});
    };
    const { runner, submit, state } = setup([{ type: 't', run }], { shutdownGraceMs: 60_000 });
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    const drained = runner.drain(60_000);
    await runner.releaseNow();
    await drained;
    expect(await state(id!)).toBe('pending');
  });

  test('starting and stopping at any moment leaves nothing running', async () => {
    const { queue, submit } = setup([]);
    const handlers = new HandlerTable([
      { type: 't', run: () => new Promise((resolve) => setImmediate(resolve)) },
    ]);
    await submit(...Array.from({ length: 500 }, () => ({ type: 't' })));
    for (let round = 0; round < 30; round++) {
      const runner = new Runner({ queue, handlers, queues: ['default'], workerId: `w${round}` });
      runner.start();
      for (let turn = 0; turn < round % 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      await runner.drain(round % 2 === 0 ? 0 : 1_000);
    }
    const [overview] = await queue.overview(['default']);
    expect(overview!.states.running).toBe(0);
    expect(overview!.states.pending + overview!.states.completed).toBe(500);
  });

  test('a runner that never started drains at once', async () => {
    const { runner } = setup([]);
    await runner.drain(60_000);
  });
});
