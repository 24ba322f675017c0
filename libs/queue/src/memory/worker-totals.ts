import { LIMITS } from '../core/limits.js';
import type { Settlement } from '../core/ports/consumer.js';
import { LEASE_OUTCOMES, type LeaseOutcome } from '../core/ports/inspector.js';
import { isTerminal, type TaskState } from '../core/task.js';

type Totals = Record<LeaseOutcome, number>;

/** What became of the tasks that workers had leased. */
export class WorkerTotals {
  readonly #totals = new Map<string, Totals>();

  of(worker: string): Totals {
    return this.#totals.get(worker) ?? noTotals();
  }

  count(worker: string, outcome: LeaseOutcome): void {
    const totals = this.of(worker);
    totals[outcome] += 1;
    this.#totals.set(worker, totals);
    const [first] = this.#totals.keys();
    if (this.#totals.size > LIMITS.workersKept && first !== undefined) this.#totals.delete(first);
  }
}

/** As what a settlement counts that led to this state. */
export function outcomeOf({ action }: Settlement, state: TaskState): LeaseOutcome {
  if (isTerminal(state)) return state as LeaseOutcome;
  return action === 'release' ? 'released' : 'retried';
}

function noTotals(): Totals {
  return Object.fromEntries(LEASE_OUTCOMES.map((outcome) => [outcome, 0])) as Totals;
}
