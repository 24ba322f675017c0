import { duration, string } from './kinds.js';
import { renderSettings } from './render-settings.js';
import { defineSettings } from './settings-table.js';

test('a table becomes a heading and one row for each setting', () => {
  const table = defineSettings('Worker', {
    lease: duration({}, { env: 'WORKER_LEASE', description: 'How long.', default: 25_000 }),
    mode: string({ pattern: /a|b/ }, { env: 'WORKER_MODE', description: 'Mode.', required: true }),
    key: string({}, { env: 'WORKER_KEY', description: 'Key.', secret: true }),
  });
  expect(renderSettings([table])).toBe(
    [
      '## Worker',
      '',
      '| variable | default | accepts | meaning |',
      '| --- | --- | --- | --- |',
      '| `WORKER_LEASE` | `25s` | a duration such as 500ms, 30s, 5m or 24h | How long. |',
      '| `WORKER_MODE` | required | text matching a\\|b | Mode. |',
      '| `WORKER_KEY` |  | text | Key. Secret: never printed. |',
      '',
    ].join('\n'),
  );
});
