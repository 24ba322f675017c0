import { oneOf } from './kinds.js';
import { defineSettings, type SettingsOf } from './settings-table.js';

/** What the queues are on. */
export const backendSettings = defineSettings('Backend', {
  backend: oneOf(['redis', 'memory'], {
    env: 'FAIRLANE_BACKEND',
    description:
      'What the queues are on. `redis`: our own engine. `memory`: an API that is alone, without Redis, and forgets everything when it ends; it cannot have workers but over HTTP.',
    default: 'redis',
  }),
});

export type BackendSettings = SettingsOf<typeof backendSettings>;
