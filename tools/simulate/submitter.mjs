import { setTimeout as delay } from 'node:timers/promises';

const TICK_MS = 50;
const BATCH_TASKS_MAX = 1_000;

/** Submits tasks at a rate, of the types and tenants in turn, until there is no more to submit or it is stopped. */
export class Submitter {
  /** Said to be the ids of tasks, so that repeating a submission makes no second task. */
  #run = Date.now().toString(36);
  #count = 0;
  #stopping = new AbortController();

  constructor(api, ledger, options) {
    Object.assign(this, { api, ledger, options });
  }

  stop() {
    this.#stopping.abort();
  }

  async run() {
    const { rate, tasks, seconds } = this.options;
    const startedAtMs = performance.now();
    const { signal } = this.#stopping;
    while (!signal.aborted && this.#count < tasks) {
      const passedMs = performance.now() - startedAtMs;
      if (passedMs >= seconds * 1_000) break;
      const due = Math.min(Math.floor((passedMs / 1_000) * rate), tasks) - this.#count;
      if (due > 0) await this.#submit(Math.min(due, BATCH_TASKS_MAX));
      await delay(TICK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #submit(size) {
    const batch = Array.from({ length: size }, () => this.#next());
    const ids = batch.map(({ queue, id }) => `${queue}~${id}`);
    this.ledger.submitted(ids, performance.now());
    const { items } = await this.api.insist('POST', '/v1/tasks/batch', { tasks: batch, atomic: false });
    for (const [index, { status }] of items.entries())
      if (status === 'refused') this.ledger.refused(ids[index]);
  }

  #next() {
    const { queue, types, tenants } = this.options;
    const n = this.#count++;
    const names = [...types.keys()];
    return {
      id: `${this.#run}-${n}`,
      queue,
      type: names[n % names.length],
      tenant: `tenant-${n % tenants}`,
      payload: { n },
      retry: { maxAttempts: 3, backoff: 'fixed', delay: '200ms' },
    };
  }
}
