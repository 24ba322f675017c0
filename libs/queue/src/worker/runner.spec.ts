import { event, setUpRunner, untilAborted } from '../testing/test-runner.js';
import type { HandlerContext } from './handler.js';

describe('executing', () => {
  test('a task is executed and its result stored', async () => {
    const { runner, submit, end } = setUpRunner([{ type: 't', run: ({ payload }) => payload.a + 1 }]);
    runner.start();
    const [id] = await submit({ type: 't', payload: '{"a":1}' });
    expect(await end(id!)).toMatchObject({ state: 'completed', result: '2', attempt: 1 });
  });

  test('tasks that were waiting before the worker came are executed, the first first', async () => {
    const order: unknown[] = [];
    const { runner, submit, end } = setUpRunner(
      [{ type: 't', run: ({ payload }) => void order.push(payload) }],
      {
        concurrency: 2,
      },
    );
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
    const { runner, submit, end } = setUpRunner([{ type: 't', retry: { delayMs: 1, jitter: 'none' }, run }]);
    runner.start();
    const [id] = await submit({ type: 't' });
    expect(await end(id!)).toMatchObject({ state: 'completed', result: '["first"]', attempt: 2 });
  });

  test('a task whose type has no handler here follows its retry policy', async () => {
    const { runner, submit, end } = setUpRunner([{ type: 't', run: () => 1 }]);
    runner.start();
    const retry = { maxAttempts: 2, backoff: 'fixed', delayMs: 1, maxDelayMs: 1, jitter: 'none' } as const;
    const [id] = await submit({ type: 'other', retry });
    const task = await end(id!);
    expect(task).toMatchObject({ state: 'failed', failureReason: 'attempts-exhausted', failures: 2 });
    expect(task.errors.map(({ code }) => code)).toEqual(['no-handler', 'no-handler']);
  });

  test('a delayed task starts when it is due although nothing else happens', async () => {
    const { runner, submit, end, queue } = setUpRunner([{ type: 't', run: () => 1 }], { fallbackMs: 60_000 });
    const [id] = await submit({ type: 't', delayMs: 60 });
    runner.start();
    const task = await end(id!);
    expect(task.startedAt! - task.createdAt).toBeGreaterThanOrEqual(60);
    expect(queue.calls.filter(({ name }) => name === 'lease').length).toBeLessThan(5);
  });

  test('log lines and the last progress are stored with the end', async () => {
    const { runner, submit, end, queue } = setUpRunner([
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
    const { runner, submit, queue } = setUpRunner(
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

describe('stopping an attempt', () => {
  test('a handler whose task is cancelled is told, and the task ends as cancelled', async () => {
    const begun = event();
    const run = (context: HandlerContext) => {
      begun.happen();
      return untilAborted(context);
    };
    const { runner, submit, end, queue, ends } = setUpRunner([{ type: 't', run }], { leaseMs: 1_000 });
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
    const { runner, submit, queue, clock, ends, state } = setUpRunner([{ type: 't', run }], {
      leaseMs: 1_000,
    });
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
