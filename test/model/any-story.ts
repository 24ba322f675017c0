import { jest } from '@jest/globals';
import fc from 'fast-check';
import { Stage } from './stage.js';
import { stories } from './stories.js';

/**
 * How many stories are played, in two parts that run at once. `npm run test:model` plays more of them; MODEL_SEED plays
 * those of an earlier run again, in the first part.
 */
const RUNS = Math.ceil(Number(process.env.MODEL_RUNS ?? 1_000) / 2);
const SEED = process.env.MODEL_SEED;
const STEPS_MAX = 60;
/** Ten times what a story takes on an idle machine. */
const TIMEOUT_MS = 60_000 + RUNS * 1_500;

/** Defines a test that plays one part of the random stories, and returns where. */
export function itAgreesAboutAnyStory(part: 0 | 1): Stage {
  const stage = new Stage();
  // The adapter measures some durations by its process: no time passes there either.
  beforeAll(() => void jest.spyOn(performance, 'now').mockReturnValue(0));
  afterAll(async () => {
    jest.restoreAllMocks();
    await stage.close();
  });

  it(
    'agree about any story',
    async () => {
      await fc.assert(
        fc.asyncProperty(stories(STEPS_MAX), (story) => stage.play(story)),
        {
          numRuns: RUNS,
          seed: SEED === undefined ? undefined : Number(SEED) + part,
          // Shrinking ends there. A machine on which not all can be played has not seen them pass.
          interruptAfterTimeLimit: TIMEOUT_MS - 10_000,
          markInterruptAsFailure: true,
        },
      );
    },
    TIMEOUT_MS,
  );
  return stage;
}
