import { itAgreesAboutAnyStory } from './any-story.js';

describe('Redis and the oracle, at the same time as model.spec.ts,', () => {
  itAgreesAboutAnyStory(1);
});
