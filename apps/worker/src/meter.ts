import type { AttemptOutcome, Meter } from '@app/queue';
import type { Metrics } from '@app/runtime';

/** Counts what workers and chores do in the process' metrics. */
export function meterInto(metrics: Metrics): Meter {
  return {
    attemptEnded: (queue, _type, outcome, durationMs) => {
      metrics.counter('worker_attempts_total').inc({ queue, outcome: OUTCOMES[outcome] });
      metrics.histogram('worker_attempt_duration_seconds').observe({ queue }, durationMs / 1_000);
    },
    slots: (busy, total) => {
      metrics.gauge('worker_slots').set({ state: 'busy' }, busy);
      metrics.gauge('worker_slots').set({ state: 'free' }, total - busy);
    },
    loopFailed: (loop) => metrics.counter('worker_loop_failures_total').inc({ loop }),
    choreRan: (chore, outcome, count) => {
      metrics.counter('chore_runs_total').inc({ chore, outcome });
      metrics.counter('chore_items_total').inc({ chore }, count);
    },
  };
}

const OUTCOMES: Record<AttemptOutcome, string> = {
  completed: 'completed',
  failed: 'failed',
  timeout: 'timeout',
  cancelled: 'cancelled',
  'lease-lost': 'lease_lost',
  released: 'released',
};
