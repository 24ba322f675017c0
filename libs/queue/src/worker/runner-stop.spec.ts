import { event, setUpRunner, untilAborted } from '../testing/test-runner.js';
import { HandlerTable } from './handler-table.js';
import type { HandlerContext } from './handler.js';
import { Runner } from './runner.js';

describe('stopping the worker', () => {
  test('draining lets what runs finish and takes nothing more', async () => {
    const begun = event();
    const finish = event();
    const run = async () => {
      begun.happen();
      await finish.happened;
    };
    const { runner, submit, state, end } = setUpRunner([{ type: 't', run }], { concurrency: 1 });
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
    const { runner, submit, queue, ends } = setUpRunner([{ type: 't', run }]);
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
    const { runner, submit, state } = setUpRunner([{ type: 't', run }], { shutdownGraceMs: 1 });
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
    const { queue, clock, runner, submit, ends } = setUpRunner([{ type: 't', run }], { shutdownGraceMs: 1 });
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
    const { runner, submit, state } = setUpRunner([{ type: 't', run }], { shutdownGraceMs: 60_000 });
    runner.start();
    const [id] = await submit({ type: 't' });
    await begun.happened;
    const drained = runner.drain(60_000);
    await runner.releaseNow();
    await drained;
    expect(await state(id!)).toBe('pending');
  });

  test('starting and stopping at any moment leaves nothing running', async () => {
    const { queue, submit } = setUpRunner([]);
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
    const { runner } = setUpRunner([]);
    await runner.drain(60_000);
  });
});
