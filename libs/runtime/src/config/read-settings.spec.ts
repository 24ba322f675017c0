import { ConfigError } from './config-error.js';
import { boolean, duration, integer, string } from './kinds.js';
import { readSettings } from './read-settings.js';
import { defineSettings } from './settings-table.js';

const worker = defineSettings('Worker', {
  concurrency: integer(
    { min: 1, max: 100 },
    { env: 'WORKER_CONCURRENCY', description: 'Slots.', default: 10 },
  ),
  lease: duration({}, { env: 'WORKER_LEASE', description: 'Lease.', default: 30_000 }),
  label: string({}, { env: 'WORKER_LABEL', description: 'Label.' }),
});

const api = defineSettings('API', {
  keys: string(
    { pattern: /[a-z]+/ },
    { env: 'FAIRLANE_API_KEYS', description: 'Keys.', required: true, secret: true },
  ),
  open: boolean({ env: 'FAIRLANE_OPEN', description: 'Open.', default: false }),
});

const problemsOf = (...args: Parameters<typeof readSettings>): string[] => {
  try {
    readSettings(...args);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message }) => message);
    throw error;
  }
  return [];
};

describe('readSettings', () => {
  test('gives defaults for what is not set and undefined for what has none', () => {
    expect(readSettings({ worker }, {})).toEqual({
      worker: { concurrency: 10, lease: 30_000, label: undefined },
    });
  });

  test('gives values with the types of their kinds', () => {
    const settings = readSettings({ worker }, { WORKER_CONCURRENCY: '7', WORKER_LEASE: '5m' });
    const concurrency: number = settings.worker.concurrency;
    const label: string | undefined = settings.worker.label;
    // @ts-expect-error a setting without default may be absent
    const certain: string = settings.worker.label;
    expect([concurrency, settings.worker.lease, label, certain]).toEqual([7, 300_000, undefined, undefined]);
  });

  test('gives a frozen object', () => {
    const settings = readSettings({ worker }, {});
    expect(Object.isFrozen(settings) && Object.isFrozen(settings.worker)).toBe(true);
  });

  test('counts an empty or blank variable as unset', () => {
    expect(readSettings({ worker }, { WORKER_CONCURRENCY: '', WORKER_LEASE: '  ' }).worker.concurrency).toBe(
      10,
    );
    expect(problemsOf({ api }, { FAIRLANE_API_KEYS: '' })).toEqual([
      'FAIRLANE_API_KEYS is required: expected text matching [a-z]+',
    ]);
  });

  test('lists every bad variable of every table in one error', () => {
    expect(
      problemsOf({ worker, api }, { WORKER_CONCURRENCY: '0', WORKER_LEASE: 'soon', FAIRLANE_OPEN: 'maybe' }),
    ).toEqual([
      'WORKER_CONCURRENCY="0": expected an integer, 1 to 100',
      'WORKER_LEASE="soon": expected a duration such as 500ms, 30s, 5m or 24h',
      'FAIRLANE_API_KEYS is required: expected text matching [a-z]+',
      'FAIRLANE_OPEN="maybe": expected true or false (also 1/0, on/off, yes/no)',
    ]);
  });

  test('never shows the value of a secret', () => {
    const [message] = problemsOf({ api }, { FAIRLANE_API_KEYS: 'hunter2' });
    expect(message).toBe('FAIRLANE_API_KEYS=(hidden): expected text matching [a-z]+');
  });

  test('keeps a problem on one line whatever the value holds', () => {
    expect(problemsOf({ worker }, { WORKER_LEASE: 'a\r\n\u001b[31mb' })[0]).not.toMatch(/[\r\n\u001b]/);
    expect(problemsOf({ worker }, { WORKER_LEASE: 'x'.repeat(5_000) })[0]!.length).toBeLessThan(300);
  });

  test('refuses a variable nobody declared and says which one was meant', () => {
    expect(problemsOf({ worker }, { WORKER_CONCURENCY: '5', FAIRLANE_XYZ: '1' })).toEqual([
      'WORKER_CONCURENCY is not a setting: did you mean WORKER_CONCURRENCY?',
      'FAIRLANE_XYZ is not a setting',
    ]);
  });

  test('lets variables of other programs and of sibling processes pass', () => {
    const env = { FAIRLANE_API_KEYS: 'a', WORKER_CONCURRENCY: '5', PATH: '/bin', WORKERS: '3' };
    expect(readSettings({ api }, env).api.keys).toBe('a');
    expect(readSettings({ worker }, env, { siblings: ['FAIRLANE_API_KEYS'] }).worker.concurrency).toBe(5);
  });

  test('looks for contradictions only when each value is good', () => {
    const seen: unknown[] = [];
    const table = defineSettings(
      'Pair',
      { a: integer({}, { env: 'WORKER_A', description: 'A.' }) },
      (values, given) => {
        seen.push([values, [...given]]);
        return [{ env: 'WORKER_A', message: 'WORKER_A excludes WORKER_B: only one' }];
      },
    );
    expect(problemsOf({ table }, { WORKER_A: 'x' })).toEqual(['WORKER_A="x": expected an integer']);
    expect(seen).toEqual([]);
    expect(problemsOf({ table }, { WORKER_A: '1' })).toEqual(['WORKER_A excludes WORKER_B: only one']);
    expect(seen).toEqual([[{ a: 1 }, ['WORKER_A']]]);
  });
});
