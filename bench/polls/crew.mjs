import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

/** Workers that poll for one task at a time, each over a connection of its own, and settle what they get. */
export class Crew {
  #agent = new Agent({ keepAlive: true });
  #url;
  #queue;
  #size;
  #leaving = false;
  /** Told of each task that arrives. */
  #onTask = () => undefined;

  /** @param {string} url of the API @param {string} queue @param {number} size */
  constructor(url, queue, size) {
    this.#url = url;
    this.#queue = queue;
    this.#size = size;
  }

  async askOnce() {
    await this.#lease('first', 0);
  }

  start() {
    for (let n = 0; n < this.#size; n++) void this.#work(`worker-${n}`);
  }

  /** Submits a task, and gives the ms from sending it until a worker has it. */
  async wakeOne() {
    const arrived = new Promise((resolve) => (this.#onTask = () => resolve(performance.now())));
    const sentAtMs = performance.now();
    await this.#post('/v1/tasks', { type: 'bench', queue: this.#queue });
    const tookMs = (await arrived) - sentAtMs;
    // Until it has been settled, and its worker waits again.
    await delay(20);
    return tookMs;
  }

  leave() {
    this.#leaving = true;
    this.#agent.destroy();
  }

  async #work(workerId) {
    while (!this.#leaving) {
      const answer = await this.#lease(workerId, '60s').catch(() => undefined);
      for (const { id, leaseToken } of answer?.items ?? []) {
        this.#onTask();
        await this.#post(`/v1/tasks/${id}/complete`, { leaseToken });
      }
    }
  }

  #lease(workerId, wait) {
    return this.#post(`/v1/queues/${this.#queue}/lease`, { workerId, wait });
  }

  #post(path, body) {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request(this.#url + path, { method: 'POST', agent: this.#agent, headers });
      sent.on('error', reject).on('response', (answer) => {
        if (answer.statusCode !== 204) return void json(answer).then(resolve, reject);
        answer.resume();
        resolve(undefined);
      });
      sent.end(JSON.stringify(body));
    });
  }
}
