import { jest } from '@jest/globals';
import fc from 'fast-check';
import { EXAMPLES } from './examples.js';
import { Stage } from './stage.js';
import { stories } from './stories.js';

/** `npm run test:model` plays more of them; MODEL_SEED plays those of an earlier run again. */
const RUNS = Number(process.env.MODEL_RUNS ?? 1_000);
const SEED = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED);
const STEPS_MAX = 60;
const TIMEOUT_MS = 60_000 + RUNS * 300;

describe('Redis and the oracle', () => {
  const stage = new Stage();

  // The adapter measures some durations by its process: no time passes there either.
  beforeAll(() => void jest.spyOn(performance, 'now').mockReturnValue(0));
  afterAll(async () => {
    jest.restoreAllMocks();
    await stage.close();
  });

  it.each(EXAMPLES)('agree: $about', ({ story }) => stage.play(story));

  it(
    'agree about any story',
    async () => {
      await fc.assert(
        fc.asyncProperty(stories(STEPS_MAX), (story) => stage.play(story)),
        {
          numRuns: RUNS,
          seed: SEED,
          // Shrinking ends there, and so does a slow machine.
          interruptAfterTimeLimit: TIMEOUT_MS - 10_000,
        },
      );
    },
    TIMEOUT_MS,
  );
});
