import { LIMITS } from '../core/limits.js';
import type { LeasedTask } from '../core/ports/consumer.js';
import { Attempt } from './attempt.js';
import { InvalidPayload, PermanentError, RetryLater, SLOW_DOWN_MS_MIN, SlowDown } from './errors.js';
import { execute, type AttemptEnd } from './execute.js';
import type { HandlerContext, HandlerDefinition } from './handler.js';

const attemptOf = (task: Partial<LeasedTask> = {}) =>
  new Attempt({
    id: 'q~1',
    queue: 'q',
    type: 't',
    tenant: 'default',
    priority: 3,
    tags: [],
    metadata: {},
    createdAt: 0,
    attempt: 1,
    failures: 0,
    crashes: 0,
    errors: [],
    leaseToken: 'token',
    leaseExpiresAt: 0,
    ...task,
  });

const executed = (attempt: Attempt, handler: HandlerDefinition | undefined, timeoutMs: number) =>
  new Promise<AttemptEnd>((resolve) => execute(attempt, handler, timeoutMs, resolve));

const run = (
  handler: HandlerDefinition['run'],
  { task = {}, ...rest }: Partial<HandlerDefinition> & { task?: Partial<LeasedTask> } = {},
) => executed(attemptOf(task), { type: 't', run: handler, ...rest }, 10_000);

const untilAborted = ({ signal }: HandlerContext) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
const forever = () => new Promise<never>(() => {});

test('what a handler returns is the result', async () => {
  await expect(run(() => ({ sent: true }))).resolves.toEqual({
    outcome: 'completed',
    result: '{"sent":true}',
  });
});

test('a handler that returns nothing completes without a result', async () => {
  await expect(run(() => {})).resolves.toEqual({ outcome: 'completed' });
});

test('a handler sees the task, its payload and what went wrong before', async () => {
  const errors = [{ attempt: 1, at: 5, message: 'no' }];
  let seen: HandlerContext | undefined;
  await run((context) => void (seen = context), {
    task: { payload: '{"a":1}', attempt: 2, errors, tags: ['x'], metadata: { m: 'n' } },
  });
  expect(seen).toMatchObject({
    id: 'q~1',
    payload: { a: 1 },
    attempt: 2,
    previousErrors: errors,
    tags: ['x'],
    metadata: { m: 'n' },
  });
});

test('a handler gets what its parse function makes of the payload', async () => {
  const end = await run(({ payload }) => payload, { task: { payload: '2' }, parse: (n) => Number(n) + 1 });
  expect(end).toMatchObject({ result: '3' });
});

test.each([
  ['an error', new Error('no'), { error: { message: 'no' } }],
  [
    'an error with a code',
    Object.assign(new Error('no'), { code: 'ENOENT' }),
    { error: { message: 'no', code: 'ENOENT' } },
  ],
  [
    'a permanent error',
    new PermanentError('no', 'bad', { a: 1 }),
    { retryable: false, error: { code: 'bad', details: { a: 1 } } },
  ],
  [
    'an error that names its time',
    new RetryLater('later', 1_500),
    { retryInMs: 1_500, error: { message: 'later' } },
  ],
  [
    'an error that names a time too far off',
    new RetryLater('later', 1e15),
    { retryInMs: LIMITS.retryDelayMsMax },
  ],
  ['a string', 'no', { error: { message: 'no' } }],
  ['nothing', undefined, { error: { message: 'undefined' } }],
  [
    'an object without text',
    Object.create(null),
    { error: { message: expect.stringContaining('cannot be shown') } },
  ],
  [
    'a very long message',
    new Error('x'.repeat(10_000)),
    { error: { message: 'x'.repeat(LIMITS.errorMessageCharsMax) } },
  ],
  [
    'details that are not JSON',
    new PermanentError('no', 'bad', { n: 1n }),
    { error: { details: '(dropped: not JSON)' } },
  ],
])('a handler that throws %s fails with what it says', async (_, thrown, expected) => {
  const end = await run(() => Promise.reject(thrown));
  expect(end).toMatchObject({ outcome: 'failed', ...expected });
});

test.each([
  [
    'has a cycle',
    () => {
      const ring: Record<string, unknown> = {};
      return (ring.ring = ring);
    },
  ],
  ['is no JSON', () => () => {}],
  ['holds a BigInt', () => ({ n: 1n })],
  ['is too long', () => 'x'.repeat(LIMITS.resultBytesMax)],
])('a result that %s fails the attempt for good', async (_, result) => {
  await expect(run(result)).resolves.toMatchObject({
    outcome: 'failed',
    retryable: false,
    error: { code: 'bad-result' },
  });
});

test('a payload that is not valid JSON fails the attempt for good', async () => {
  const end = await run(() => 1, { task: { payload: '{' } });
  expect(end).toMatchObject({ outcome: 'failed', retryable: false, error: { code: 'invalid-payload' } });
});

test('a payload the handler does not take fails the attempt for good', async () => {
  const parse = () => {
    throw new InvalidPayload('url is missing', [{ pointer: '/url' }]);
  };
  await expect(run(() => 1, { parse })).resolves.toMatchObject({
    retryable: false,
    error: { code: 'invalid-payload', message: 'url is missing', details: [{ pointer: '/url' }] },
  });
});

test('a task without a handler fails, may be tried again, and says how queues route work', async () => {
  const end = await executed(attemptOf({ type: 'a.b' }), undefined, 1);
  expect(end).toMatchObject({ outcome: 'failed', error: { code: 'no-handler' } });
  expect(end).not.toHaveProperty('retryable');
  expect(JSON.stringify(end)).toContain('submit the task without a queue');
});

test('a handler that ignores its signal still fails at its timeout', async () => {
  await expect(run(forever, { task: { timeoutMs: 1 } })).resolves.toMatchObject({
    outcome: 'timeout',
    error: { code: 'timeout' },
  });
});

test("the task's timeout goes before the handler's", async () => {
  await expect(run(forever, { timeoutMs: 60_000, task: { timeoutMs: 1 } })).resolves.toMatchObject({
    error: { message: expect.stringContaining('1 ms') },
  });
});

test('a handler that stops when its task is cancelled ends as cancelled', async () => {
  const attempt = attemptOf();
  const end = executed(attempt, { type: 't', run: untilAborted }, 10_000);
  await Promise.resolve();
  attempt.stop('cancelled', 10_000);
  await expect(end).resolves.toMatchObject({ outcome: 'cancelled', error: { code: 'cancelled' } });
});

test('a handler that finishes in spite of a cancellation has finished', async () => {
  const attempt = attemptOf();
  let finish!: (value: string) => void;
  const end = executed(
    attempt,
    { type: 't', run: () => new Promise((resolve) => (finish = resolve)) },
    10_000,
  );
  await Promise.resolve();
  attempt.stop('cancelled', 10_000);
  finish('done');
  await expect(end).resolves.toEqual({ outcome: 'completed', result: '"done"' });
});

test('a handler that rejects on shutdown is released', async () => {
  const attempt = attemptOf();
  const end = executed(attempt, { type: 't', run: untilAborted }, 10_000);
  await Promise.resolve();
  attempt.stop('shutdown', 10_000);
  await expect(end).resolves.toEqual({ outcome: 'released' });
});

test('a handler that does not stop is left behind when its grace is over', async () => {
  const attempt = attemptOf();
  const end = executed(attempt, { type: 't', run: forever }, 10_000);
  attempt.stop('shutdown', 10_000);
  attempt.stop('shutdown', 0);
  await expect(end).resolves.toEqual({ outcome: 'released' });
});

test('a lost lease overrules every other end', async () => {
  const attempt = attemptOf();
  const end = executed(attempt, { type: 't', run: forever }, 10_000);
  attempt.stop('cancelled', 10_000);
  attempt.stop('lease-lost', 0);
  await expect(end).resolves.toEqual({ outcome: 'lease-lost' });
});

test('a handler is not called when the attempt was stopped while its payload was parsed', async () => {
  const attempt = attemptOf();
  let begun = false;
  const definition = { type: 't', parse: async () => {}, run: () => void (begun = true) };
  const end = executed(attempt, definition, 10_000);
  attempt.stop('shutdown', 10_000);
  await expect(end).resolves.toEqual({ outcome: 'released' });
  expect(begun).toBe(false);
});

test('an attempt that was stopped before it began does not begin', async () => {
  const attempt = attemptOf();
  attempt.stop('shutdown', 0);
  let begun = false;
  const handler = () => void (begun = true);
  await expect(executed(attempt, { type: 't', run: handler }, 1)).resolves.toEqual({ outcome: 'released' });
  expect(begun).toBe(false);
});

test('progress that is not JSON or too long is refused', async () => {
  await expect(run(({ progress }) => progress(undefined))).resolves.toMatchObject({ outcome: 'failed' });
  await expect(run(({ progress }) => progress('x'.repeat(LIMITS.progressBytesMax)))).resolves.toMatchObject({
    outcome: 'failed',
  });
});

test('news that could not be delivered comes before what was said since', () => {
  const attempt = attemptOf();
  attempt.addLog('one');
  attempt.setProgress(1);
  const news = attempt.takeNews();
  attempt.addLog('two');
  attempt.setProgress(2);
  attempt.giveBack(news);
  expect(attempt.takeNews()).toEqual({ progress: '2', logs: ['one', 'two'] });
});

test.each([
  [5_000, 5_000],
  [0, SLOW_DOWN_MS_MIN],
  [1e15, LIMITS.retryAfterMsMax],
])(
  'a handler that slows its queue down for %d ms gives its task back, and the queue rests %d ms',
  async (given, kept) => {
    const thrown = new SlowDown('overloaded', given);
    await expect(
      run(() => {
        throw thrown;
      }),
    ).resolves.toEqual({ outcome: 'released', slowDown: { retryAfterMs: kept, thrown } });
  },
);

test('slowing down for a time that is no number is a failure', async () => {
  await expect(
    run(() => {
      throw new SlowDown('overloaded', NaN);
    }),
  ).resolves.toMatchObject({ outcome: 'failed', error: { message: 'overloaded' } });
});
