import { jest } from '@jest/globals';
import { QueueError } from '@app/queue';
import fc from 'fast-check';
import { breakEngine, type BrokenEngine } from './broken-engine.js';
import { BROKEN_ATTEMPTS } from './broken-engines/attempts.js';
import { BROKEN_EVENTS } from './broken-engines/events.js';
import { BROKEN_FAIRNESS } from './broken-engines/fairness.js';
import { BROKEN_LEASES } from './broken-engines/leases.js';
import { BROKEN_LIMITS } from './broken-engines/limits.js';
import { BROKEN_OPERATIONS } from './broken-engines/operations.js';
import { BROKEN_ORDERING } from './broken-engines/ordering.js';
import { BROKEN_PAUSES } from './broken-engines/pauses.js';
import { BROKEN_PRIORITIES } from './broken-engines/priorities.js';
import { BROKEN_SUBMISSIONS } from './broken-engines/submissions.js';
import { BROKEN_WAKES } from './broken-engines/wakes.js';
import { BROKEN_WORKERS } from './broken-engines/workers.js';
import { Stage } from './stage.js';
import type { Step } from './step.js';
import { stories } from './stories.js';

const BROKEN_ENGINES = [
  ...BROKEN_LEASES,
  ...BROKEN_ATTEMPTS,
  ...BROKEN_EVENTS,
  ...BROKEN_FAIRNESS,
  ...BROKEN_SUBMISSIONS,
  ...BROKEN_LIMITS,
  ...BROKEN_PAUSES,
  ...BROKEN_ORDERING,
  ...BROKEN_PRIORITIES,
  ...BROKEN_OPERATIONS,
  ...BROKEN_WAKES,
  ...BROKEN_WORKERS,
];

const TIMEOUT_MS = 60_000;

/** What the model test is worth: whether it notices, for one rule after the other, that the engine breaks it. */
describe('The model test notices an engine that', () => {
  const stage = new Stage();
  // Should an engine pass its own story, these have to tell.
  const others = fc.sample(stories(60), { seed: 1, numRuns: 50 });

  beforeAll(() => void jest.spyOn(performance, 'now').mockReturnValue(0));
  afterAll(async () => {
    jest.restoreAllMocks();
    await stage.close();
  });

  it.each(BROKEN_ENGINES)(
    '$about',
    async (engine) => {
      const found = await findDifference(engine);
      expect(found).toBeDefined();
      // It is to be wrong, not to be no program any more.
      expect(found!.difference).not.toBeInstanceOf(QueueError);
      // And it is the engine that is wrong, not the story.
      await stage.play(found!.story);
    },
    TIMEOUT_MS,
  );

  async function findDifference(engine: BrokenEngine) {
    const mend = breakEngine(engine);
    try {
      for (const story of [engine.story, ...others]) {
        const difference = await differenceIn(story);
        if (difference !== undefined) return { story, difference };
      }
      return undefined;
    } finally {
      mend();
    }
  }

  function differenceIn(story: readonly Step[]): Promise<unknown> {
    return stage.play(story).then(
      () => undefined,
      (error: unknown) => error,
    );
  }
});
