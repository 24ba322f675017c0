import { itAgreesAboutAnyStory } from './any-story.js';
import { EXAMPLES } from './examples.js';

describe('Redis and the oracle', () => {
  const stage = itAgreesAboutAnyStory(0);

  it.each(EXAMPLES)('agree: $about', ({ story }) => stage.play(story));
});
