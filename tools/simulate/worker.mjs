import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const BEAT_MS = 5_000;

/** What workers do however they are connected. Subclasses say how they `take`, `settle`, `sendBeat` and `leave`, and hear of `slotFreed`. */
export class Worker {
  /** By token: a task that was lost here may come again while it still runs. */
  held = new Map();
  /** Aborts when nothing more is to be taken. */
  stopping = new AbortController();
  stopped = once(this.stopping.signal, 'abort');

  /** @param {{id: string, labels: Record<string, string>}} identity */
  constructor(api, ledger, options, { id, labels }) {
    Object.assign(this, { api, ledger, options, id, labels });
  }

  get free() {
    return this.stopping.signal.aborted ? 0 : this.options.slots - this.held.size;
  }

  /** As it says of itself. */
  get registration() {
    const { queue, types } = this.options;
    return {
      queues: [queue],
      types: [...types.keys()],
      host: this.labels.machine,
      pid: process.pid,
      labels: this.labels,
    };
  }

  /** Works until `stop`, and until what it has begun by then has ended. */
  async run() {
    const beating = setInterval(() => void this.beat(), BEAT_MS);
    try {
      await this.take();
      await Promise.all([...this.held.values()].map(({ done }) => done));
      await this.leave().catch(() => undefined);
    } finally {
      clearInterval(beating);
    }
  }

  stop() {
    this.stopping.abort();
  }

  /** Gives back what it holds. */
  release() {
    this.stop();
    for (const { stop } of this.held.values()) stop.abort('release');
  }

  /** Executes a task and settles it, in the background. */
  begin(task) {
    const stop = new AbortController();
    this.ledger.started(this.id, task);
    const attempt = { task, stop, done: this.#execute(task, stop.signal) };
    this.held.set(task.leaseToken, attempt);
  }

  async #execute(task, signal) {
    const { ms = 0, failures = 0 } = this.options.types.get(task.type) ?? {};
    await delay(ms * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    if (signal.reason !== 'lost') {
      const end = endOf(signal.reason, Math.random() < failures);
      const outcome = await this.settle({ id: task.id, leaseToken: task.leaseToken, ...end }).catch(
        () => undefined,
      );
      // A released task counts as never started, whatever this worker did with it.
      if (end.action !== 'release' && outcome) this.ledger.settled(this.id, task.id, outcome.state);
    }
    this.held.delete(task.leaseToken);
    this.slotFreed();
  }

  /** One heartbeat for all that it holds. One that gets lost is not repeated: the next one says it all. */
  async beat() {
    const attempts = [...this.held.values()];
    if (attempts.length === 0) return;
    const leases = attempts.map(({ task }) => ({ id: task.id, leaseToken: task.leaseToken }));
    const outcomes = await this.sendBeat({ leases }).catch(() => []);
    for (const [index, { problem, cancelRequested }] of outcomes.entries()) {
      if ([404, 409].includes(problem?.status)) attempts[index].stop.abort('lost');
      else if (cancelRequested) attempts[index].stop.abort('cancelled');
    }
  }
}

function endOf(reason, fails) {
  if (reason === 'release') return { action: 'release' };
  if (reason === undefined && !fails) return { action: 'complete', result: { ok: true } };
  const code = reason ?? 'simulated';
  return { action: 'fail', error: { code, message: `The attempt failed: ${code}.` } };
}
