import { checkHealth } from './health.js';

const now = () => 0;

test('a process with no checks is available', async () => {
  await expect(checkHealth([], { now })).resolves.toEqual({ status: 'ok', checks: {} });
});

test('one failing check makes the whole unavailable and is named', async () => {
  const report = await checkHealth(
    [
      { name: 'redis', check: async () => ({ ok: true }) },
      { name: 'loop', check: async () => ({ ok: false, detail: 'stale' }) },
    ],
    { now },
  );
  expect(report).toEqual({
    status: 'unavailable',
    checks: {
      redis: { status: 'ok', durationMs: 0 },
      loop: { status: 'unavailable', durationMs: 0, detail: 'stale' },
    },
  });
});

test('a check that throws or rejects fails without telling why', async () => {
  const report = await checkHealth(
    [
      {
        name: 'throws',
        check: () => {
          throw new Error('redis://user:hunter2@h');
        },
      },
      { name: 'rejects', check: () => Promise.reject(new Error('hunter2')) },
    ],
    { now },
  );
  expect(report.checks.throws).toEqual({ status: 'unavailable', durationMs: 0, detail: 'failed' });
  expect(JSON.stringify(report)).not.toContain('hunter2');
});

test('a check that never answers fails at its timeout', async () => {
  const report = await checkHealth([{ name: 'hangs', check: () => new Promise(() => {}) }], {
    timeoutMs: 1,
    now,
  });
  expect(report.checks.hangs!.detail).toBe('no answer within 1 ms');
});

test('a check may be a method of an object', async () => {
  class Probe {
    readonly name = 'probe';
    private readonly ok = true;
    async check() {
      return { ok: this.ok };
    }
  }
  await expect(checkHealth([new Probe()], { now })).resolves.toMatchObject({ status: 'ok' });
});
