import { EventEmitter } from 'node:events';
import { createLogger } from './log.js';
import { onShutdown, type ShutdownOptions, type ShutdownStep } from './shutdown.js';

const setup = (steps: ShutdownStep[], options: Partial<ShutdownOptions> = {}) => {
  const logged: Record<string, unknown>[] = [];
  const exits: number[] = [];
  const target = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const log = createLogger({
    name: 'test',
    destination: { write: (line) => void logged.push(JSON.parse(line)) },
  });
  return { target, logged, exits, shutdown: onShutdown(steps, { log, process: target, ...options }) };
};

const latch = () => {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
};

test.each(['SIGTERM', 'SIGINT'])('%s runs the steps in order and exits with 0', async (signal) => {
  const order: string[] = [];
  const { target, shutdown, exits, logged } = setup([
    { name: 'http', run: async () => void order.push('http') },
    { name: 'redis', run: () => void order.push('redis') },
  ]);
  expect(shutdown.begun).toBe(false);
  target.emit(signal);
  expect(shutdown.begun).toBe(true);
  await expect(shutdown.done).resolves.toBe(0);
  expect(order).toEqual(['http', 'redis']);
  expect(exits).toEqual([0]);
  expect(logged.filter(({ msg }) => msg === 'stopped').map(({ step }) => step)).toEqual(['http', 'redis']);
});

test('a step waits for the one before', async () => {
  const { open, opened } = latch();
  const order: string[] = [];
  const { target, shutdown } = setup([
    { name: 'slow', run: () => opened.then(() => void order.push('slow')) },
    { name: 'next', run: () => void order.push('next') },
  ]);
  target.emit('SIGTERM');
  open();
  await shutdown.done;
  expect(order).toEqual(['slow', 'next']);
});

test('a failing step is logged, the others still run, and the exit code is 1', async () => {
  const order: string[] = [];
  const { target, shutdown, exits, logged } = setup([
    { name: 'bad', run: () => Promise.reject(new Error('stuck')) },
    { name: 'good', run: () => void order.push('good') },
  ]);
  target.emit('SIGTERM');
  await shutdown.done;
  expect(order).toEqual(['good']);
  expect(exits).toEqual([1]);
  expect(logged).toContainEqual(expect.objectContaining({ msg: 'could not stop', step: 'bad' }));
});

test('a second signal calls the hook and does not run the steps again', async () => {
  const { open, opened } = latch();
  let runs = 0;
  const { target, shutdown, exits } = setup([{ name: 'drain', run: () => (runs++, opened) }], {
    onSecondSignal: open,
  });
  target.emit('SIGTERM');
  target.emit('SIGINT');
  await shutdown.done;
  expect(runs).toBe(1);
  expect(exits).toEqual([0]);
});

test('a second signal without a hook, or with one that throws, does no harm', async () => {
  const { open, opened } = latch();
  const { target, shutdown, logged } = setup([{ name: 'drain', run: () => opened }], {
    onSecondSignal: () => {
      open();
      throw new Error('no');
    },
  });
  target.emit('SIGTERM');
  target.emit('SIGTERM');
  await expect(shutdown.done).resolves.toBe(0);
  expect(logged.map(({ msg }) => msg)).toContain('could not hurry up');
});

test('steps that take longer than the deadline end with exit code 1', async () => {
  const { target, shutdown, exits } = setup([{ name: 'hangs', run: () => new Promise(() => {}) }], {
    deadlineMs: 1,
  });
  target.emit('SIGTERM');
  await expect(shutdown.done).resolves.toBe(1);
  expect(exits).toEqual([1]);
});

test.each(['uncaughtException', 'unhandledRejection'])(
  '%s is fatal, stops in order and exits with 1',
  async (event) => {
    const order: string[] = [];
    const { target, shutdown, exits, logged } = setup([
      { name: 'drain', run: () => void order.push('drain') },
    ]);
    target.emit(event, new Error('boom'));
    await shutdown.done;
    expect(order).toEqual(['drain']);
    expect(exits).toEqual([1]);
    expect(logged[0]).toMatchObject({ level: 'fatal', err: { message: 'boom' } });
  },
);

test('a crash during an orderly shutdown turns its exit code into 1', async () => {
  const { open, opened } = latch();
  const { target, shutdown } = setup([{ name: 'drain', run: () => opened }]);
  target.emit('SIGTERM');
  target.emit('uncaughtException', new Error('boom'));
  open();
  await expect(shutdown.done).resolves.toBe(1);
});

test('the end of the parent process begins a shutdown', async () => {
  const { target, shutdown } = setup([]);
  target.emit('disconnect');
  await expect(shutdown.done).resolves.toBe(0);
});

test('a shutdown can begin without a signal', async () => {
  const { shutdown, logged } = setup([]);
  await expect(shutdown.begin('operator asked')).resolves.toBe(0);
  expect(logged[0]).toMatchObject({ reason: 'operator asked' });
});
