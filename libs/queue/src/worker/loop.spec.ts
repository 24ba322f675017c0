import { Loop } from './loop.js';

test('a loop takes turns until it is stopped, and none after that', async () => {
  let turns = 0;
  const third = new Promise<void>((resolve) => {
    const loop = new Loop(async () => {
      turns += 1;
      if (turns === 3) void loop.stop().then(resolve);
      return 0;
    });
    loop.start();
    loop.start();
  });
  await third;
  expect(turns).toBe(3);
});

test('stopping waits for the turn under way', async () => {
  let end!: () => void;
  const loop = new Loop(() => new Promise<number>((resolve) => (end = () => resolve(60_000))));
  loop.start();
  let stopped = false;
  const stopping = loop.stop().then(() => (stopped = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect([stopped, loop.signal.aborted]).toEqual([false, true]);
  end();
  expect(await stopping).toBe(true);
});

test('stopping ends a rest', async () => {
  const loop = new Loop(async () => 60_000);
  loop.start();
  await new Promise((resolve) => setImmediate(resolve));
  await loop.stop();
  expect(loop.started).toBe(true);
});

test('a loop that never began stops at once', async () => {
  const loop = new Loop(async () => 0);
  await loop.stop();
  expect(loop.started).toBe(false);
});
