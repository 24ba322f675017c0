/** One thing that must work for the process to be useful. */
export interface HealthCheck {
  /** Stands in the answer: `redis`, `loop`. */
  readonly name: string;
  /** Rejecting means the same as `ok: false`, without detail: what an error says may not be fit for the public. */
  check(): Promise<HealthCheckResult>;
}

export interface HealthCheckResult {
  readonly ok: boolean;
  /** Shown to whoever asks: no addresses, no credentials. */
  readonly detail?: string;
}

/** The answer of `/health/live` and `/health/ready`. */
export interface HealthReport {
  readonly status: 'ok' | 'unavailable';
  readonly checks: Readonly<Record<string, HealthCheckReport>>;
}

export interface HealthCheckReport {
  readonly status: 'ok' | 'unavailable';
  readonly durationMs: number;
  readonly detail?: string;
}

export interface HealthOptions {
  /** How long one check may take before it counts as failed. Default: 2000 ms. */
  readonly timeoutMs?: number;
  /** Monotonic time in milliseconds. Default: `performance.now()`. */
  readonly now?: () => number;
}

/** Runs all checks at the same time; never rejects. Available only if every check is. */
export async function checkHealth(
  checks: readonly HealthCheck[],
  { timeoutMs = 2_000, now = () => performance.now() }: HealthOptions = {},
): Promise<HealthReport> {
  const reports = await Promise.all(
    checks.map(async (check): Promise<[string, HealthCheckReport]> => {
      const startedAtMs = now();
      // Wrapped, so that a check that throws at once is reported like one that rejects.
      const result = await withTimeout((async () => check.check())(), timeoutMs);
      const durationMs = Math.round(now() - startedAtMs);
      const detail = result.detail === undefined ? {} : { detail: result.detail };
      return [check.name, { status: result.ok ? 'ok' : 'unavailable', durationMs, ...detail }];
    }),
  );
  const ok = reports.every(([, report]) => report.status === 'ok');
  return { status: ok ? 'ok' : 'unavailable', checks: Object.fromEntries(reports) };
}

async function withTimeout(check: Promise<HealthCheckResult>, timeoutMs: number): Promise<HealthCheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<HealthCheckResult>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: `no answer within ${timeoutMs} ms` }), timeoutMs);
  });
  try {
    return await Promise.race([check, timeout]);
  } catch {
    return { ok: false, detail: 'failed' };
  } finally {
    clearTimeout(timer);
  }
}
