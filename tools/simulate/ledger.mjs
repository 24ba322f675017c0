import { createHistogram } from 'node:perf_hooks';

const EVENTS = ['submitted', 'started', 'completed', 'failed', 'cancelled', 'retried', 'lost'];

/** What has become of every task that was submitted, as the workers were answered. */
export class Ledger {
  total = new Tally();
  /** Since `turn`. */
  #lately = new Tally();
  /** When each task that has not ended was submitted, by `performance.now()`. */
  open = new Map();
  /** How many of the tasks that were submitted have ended in each state. Workers may have had others, too. */
  ended = { completed: 0, failed: 0, cancelled: 0 };
  /** Tallies of workers by their ids. */
  workers = new Map();

  submitted(ids, atMs) {
    for (const id of ids) this.open.set(id, atMs);
    this.#count('submitted', ids.length);
  }

  /** The submission was refused: there is no such task. */
  refused(id) {
    this.open.delete(id);
    this.#count('submitted', -1);
  }

  started(workerId, { id, attempt }) {
    this.#countFor(workerId, 'started');
    const submittedAtMs = this.open.get(id);
    if (submittedAtMs === undefined || attempt > 1) return;
    for (const tally of [this.total, this.#lately]) tally.waits.record(microseconds(submittedAtMs));
  }

  /** A worker was answered that the task is in this state now; undefined where it was not for it to settle. */
  settled(workerId, id, state) {
    const ended = state in this.ended;
    this.#countFor(workerId, ended ? state : state === undefined ? 'lost' : 'retried');
    const submittedAtMs = this.open.get(id);
    if (!ended || submittedAtMs === undefined) return;
    this.open.delete(id);
    this.ended[state] += 1;
    for (const tally of [this.total, this.#lately]) tally.times.record(microseconds(submittedAtMs));
  }

  /** What has happened since the last turn. */
  turn() {
    const lately = this.#lately;
    this.#lately = new Tally();
    return lately;
  }

  #countFor(workerId, event) {
    if (!this.workers.has(workerId)) this.workers.set(workerId, new Tally());
    this.workers.get(workerId)[event] += 1;
    this.#count(event, 1);
  }

  #count(event, count) {
    this.total[event] += count;
    this.#lately[event] += count;
  }
}

/** How often each event happened, and how long tasks took, in µs: until their first start, and until their end. */
class Tally {
  waits = createHistogram();
  times = createHistogram();

  constructor() {
    for (const event of EVENTS) this[event] = 0;
  }
}

function microseconds(sinceMs) {
  return Math.max(1, Math.round((performance.now() - sinceMs) * 1_000));
}
