import { randomBytes } from 'node:crypto';
import { Worker } from './worker.mjs';

const TTL_MS = 30_000;

/** A worker as docs/worker-protocol.md tells one to be written. */
export class HttpWorker extends Worker {
  static kind = 'http';

  async take() {
    const { signal } = this.stopping;
    await this.#register();
    const alive = setInterval(() => void this.#register(), TTL_MS / 3);
    let request;
    try {
      while (!signal.aborted) {
        if (this.free === 0)
          await Promise.race([...[...this.held.values()].map(({ done }) => done), this.stopped]);
        if (signal.aborted) break;
        request = {
          workerId: this.id,
          max: this.free,
          wait: '20s',
          requestId: randomBytes(16).toString('hex'),
        };
        const lease = await this.#lease(request, { timeoutMs: 30_000, signal });
        for (const task of lease?.items ?? []) this.begin(task);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(alive);
    }
    // What was on its way when the request was cut off.
    const lease = request && (await this.#lease({ ...request, max: 0 }).catch(() => undefined));
    for (const task of lease?.items ?? []) if (!this.held.has(task.leaseToken)) await this.#release(task);
  }

  slotFreed() {
    // `take` waits for it.
  }

  async settle(settlement) {
    const { outcomes } = await this.api.insist('POST', '/v1/leases/settle', { settlements: [settlement] });
    return outcomes[0];
  }

  async sendBeat(body) {
    return (await this.api.send('POST', '/v1/leases/heartbeat', { ...body, extend: '30s' })).outcomes;
  }

  async leave() {
    await this.api.send('DELETE', `/v1/workers/${this.id}`);
  }

  #lease(request, how) {
    return this.api.insist('POST', `/v1/queues/${this.options.queue}/lease`, request, how);
  }

  #release({ id, leaseToken }) {
    return this.settle({ id, leaseToken, action: 'release' });
  }

  /** Says that it is there, and hears what is wanted of it. Nothing is given to one that is to be quiet. */
  async #register() {
    const body = { ...this.registration, ttl: TTL_MS };
    const answer = await this.api.send('PUT', `/v1/workers/${this.id}`, body).catch(() => undefined);
    if (answer?.command === 'terminate') this.stop();
  }
}
