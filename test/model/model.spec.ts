import { jest } from '@jest/globals';
import type { Queue } from '@app/queue';
import { ManualClock, uniqueQueue } from '@app/queue/testing';
import fc from 'fast-check';
import { globalKey } from '../../libs/queue/src/redis/keys.js';
import { openTestQueue, type TestQueue } from '../support/redis.js';
import { EXAMPLES } from './examples.js';
import { Pair } from './pair.js';
import { Player } from './player.js';
import type { Step } from './step.js';
import { stories } from './stories.js';

/** `npm run test:model` plays more of them; MODEL_SEED plays those of an earlier run again. */
const RUNS = Number(process.env.MODEL_RUNS ?? 300);
const SEED = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED);
const STEPS_MAX = 60;
const TIMEOUT_MS = 40_000 + RUNS * 200;
/** What stories leave behind goes after so many. */
const STORIES_PER_PREFIX = 200;

describe('Redis and the oracle', () => {
  const clock = new ManualClock();
  let store: TestQueue | undefined;
  let clients: Queue[] = [];
  let played = 0;

  // The adapter measures some durations by its process: no time passes there either.
  beforeAll(() => void jest.spyOn(performance, 'now').mockReturnValue(0));
  afterAll(async () => {
    jest.restoreAllMocks();
    await store?.cleanup();
  });

  async function play(story: readonly Step[]): Promise<void> {
    if (played % STORIES_PER_PREFIX === 0) {
      await store?.cleanup();
      store = await openTestQueue({ clock, random: () => 0.5 });
      clients = [store.queue, await store.another()];
    }
    played += 1;
    clock.advance(new ManualClock().now() - clock.now());
    await store!.redis.del(globalKey(store!.keyPrefix, 'chores'));
    const queue = uniqueQueue('m');
    await new Player(new Pair(store!, clients, clock), [queue, `${queue}.x`]).play(story);
  }

  it.each(EXAMPLES)('agree: $about', ({ story }) => play(story));

  it(
    'agree about any story',
    async () => {
      await fc.assert(fc.asyncProperty(stories(STEPS_MAX), play), {
        numRuns: RUNS,
        seed: SEED,
        // Shrinking ends there, and so does a slow machine.
        interruptAfterTimeLimit: TIMEOUT_MS - 10_000,
      });
    },
    TIMEOUT_MS,
  );
});
