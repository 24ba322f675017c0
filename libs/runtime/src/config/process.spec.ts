import { processSettings } from './process.js';
import { readSettings } from './read-settings.js';

test('the log level is found in any case', () => {
  expect(readSettings({ process: processSettings }, { LOG_LEVEL: 'WARN' }).process.logLevel).toBe('warn');
});
