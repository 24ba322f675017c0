import 'reflect-metadata';
import { jest } from '@jest/globals';
import type { HandlerContext } from '@app/queue';
import { DemoEchoHandler } from './demo-echo.handler.js';
import { DemoFailHandler } from './demo-fail.handler.js';
import { DemoSleepHandler } from './demo-sleep.handler.js';

const context = (rest: Partial<HandlerContext> = {}) =>
  ({ signal: new AbortController().signal, progress() {}, log() {}, attempt: 1, ...rest }) as HandlerContext;

test('demo.echo returns what it is given', () => {
  expect(new DemoEchoHandler().run([1])).toEqual([1]);
});

test('demo.sleep says how far it is', async () => {
  let nowMs = 0;
  const now = jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const said: unknown[] = [];
  const progress = (value: unknown) => {
    said.push(value);
    nowMs += 10;
  };
  try {
    await new DemoSleepHandler().run({ ms: 20 }, context({ progress }));
  } finally {
    now.mockRestore();
  }
  expect(said).toEqual([{ percent: 0 }, { percent: 50 }, { percent: 100 }]);
});

test('demo.sleep wakes up when it is to stop', async () => {
  const stop = new AbortController();
  const sleeping = new DemoSleepHandler().run({ ms: 60_000 }, context({ signal: stop.signal }));
  stop.abort();
  await expect(sleeping).rejects.toThrow();
});

test('demo.fail fails as often as it is told to', () => {
  const handler = new DemoFailHandler();
  expect(() => handler.run({ times: 1, code: 'x' }, context())).toThrow(
    expect.objectContaining({ code: 'x' }),
  );
  expect(handler.run({ times: 1 }, context({ attempt: 2 }))).toEqual({ attempt: 2 });
  expect(() => handler.run({ retryable: false }, context())).toThrow(
    expect.objectContaining({ name: 'PermanentError', message: 'This task fails on purpose.' }),
  );
});

test('demo.fail holds its queue back when it is told to', () => {
  expect(() => new DemoFailHandler().run({ slowDownMs: 5_000 }, context())).toThrow(
    expect.objectContaining({ name: 'SlowDown', retryAfterMs: 5_000 }),
  );
});
