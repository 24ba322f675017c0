import { drainOne, enqueueBatches, enqueueSingly } from './engine.mjs';
import { post } from './http.mjs';

const PARTS = [enqueueSingly, enqueueBatches, drainOne, post];

/** What it costs that Redis writes to disk. */
export const fsync = {
  figures: Object.fromEntries(
    PARTS.flatMap(({ figures }) => Object.entries(figures)).map(([name, figure]) => [
      `fsync-${name}`,
      figure,
    ]),
  ),
  systems: ['off', 'everysec', 'always'],
  async measure(system, settings) {
    const half = { ...settings, fsync: system, tasks: settings.tasks / 2, requests: settings.requests / 2 };
    const results = {};
    for (const part of PARTS) Object.assign(results, await part.measure('fairlane', half));
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [`fsync-${name}`, value]));
  },
};
