import { oneOf } from './kinds.js';
import { defineSettings, type SettingsOf } from './settings-table.js';

/** Levels of the log, from the most to the least talkative. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** What every process has, whatever it does. */
export const processSettings = defineSettings('Process', {
  logLevel: oneOf(logLevels, {
    env: 'LOG_LEVEL',
    description: 'Least important lines to log.',
    default: 'info',
  }),
});

export type ProcessSettings = SettingsOf<typeof processSettings>;
