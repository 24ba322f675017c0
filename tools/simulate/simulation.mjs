import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../lib/problem.mjs';
import { Api, Refused } from './api.mjs';
import { HttpWorker } from './http-worker.mjs';
import { Ledger } from './ledger.mjs';
import { printHead, printSecond, printSummary, printWorkers } from './report.mjs';
import { SocketWorker } from './socket-worker.mjs';
import { Submitter } from './submitter.mjs';

/** How many tasks are asked for at a time at the end. */
const LOOKUPS = 16;
const LOOKUP_MS = 10_000;

/** A crew, a submitter, and the account of what became of each task. */
export class Simulation {
  #ledger = new Ledger();
  #hurrying = false;

  constructor(options) {
    this.options = options;
    this.api = new Api(options);
    this.submitter = new Submitter(this.api, this.#ledger, options);
    this.workers = Array.from({ length: options.workers }, (_, n) => this.#worker(n));
  }

  stopSubmitting() {
    this.submitter.stop();
  }

  stopWorking() {
    this.#hurrying = true;
    this.submitter.stop();
    for (const worker of this.workers) worker.release();
  }

  /** @returns whether every task that was submitted is accounted for */
  async run() {
    await this.#checkApi();
    const { workers, sockets, queue, url } = this.options;
    console.log(`${workers} workers, ${sockets} of them on sockets, on queue ${queue} of ${url}\n`);
    const crew = Promise.all(this.workers.map((worker) => worker.run()));
    printHead();
    const startedAtMs = performance.now();
    const printing = setInterval(() => {
      printSecond((performance.now() - startedAtMs) / 1_000, this.#ledger.turn(), this.#ledger.open.size);
    }, 1_000);
    // A worker that cannot work ends it all; those that an operator sent home do not.
    const failing = crew.then(() => new Promise(() => undefined));
    await Promise.race([this.submitter.run(), failing]).catch((error) => {
      throw error instanceof Refused ? new Problem(`The API refuses it: ${error.message}`) : error;
    });
    await this.#drain();
    this.stopWorking();
    await crew;
    clearInterval(printing);
    printWorkers(this.workers, this.#ledger);
    return printSummary(this.#ledger, await this.#lookUpOpen());
  }

  async #checkApi() {
    await this.api.send('GET', '/v1/stats').catch((error) => {
      const { url } = this.options;
      if (error.status === 401)
        throw new Problem(`The API at ${url} asks for a key: set FAIRLANE_API_KEY to one that it knows.`);
      const why = error.cause?.message || error.message;
      throw new Problem(
        `No API that answers at ${url}: ${why}. Start one with npm start, or set FAIRLANE_URL.`,
      );
    });
  }

  /** Until all has ended, or the time for it. */
  async #drain() {
    const untilMs = performance.now() + this.options.drain * 1_000;
    while (this.#ledger.open.size > 0 && performance.now() < untilMs && !this.#hurrying) await delay(50);
  }

  /** How many of the tasks that no worker here has ended are in each state. */
  async #lookUpOpen() {
    const states = {};
    const left = this.#ledger.open.keys();
    const lookUp = async () => {
      for (const id of left) {
        const signal = AbortSignal.timeout(LOOKUP_MS);
        const { state } = await this.api
          .insist('GET', `/v1/tasks/${encodeURIComponent(id)}`, undefined, { signal })
          .catch((error) => ({ state: error.status === 404 ? 'gone' : 'unknown' }));
        states[state] = (states[state] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: LOOKUPS }, lookUp));
    return states;
  }

  #worker(n) {
    const { machines, gpus, sockets } = this.options;
    const machine = `machine-${(n % machines) + 1}`;
    const labels = { machine, gpu: String(Math.floor(n / machines) % gpus) };
    const Kind = n < sockets ? SocketWorker : HttpWorker;
    const id = `sim-${n + 1}-${randomBytes(4).toString('hex')}`;
    return new Kind(this.api, this.#ledger, this.options, { id, labels });
  }
}
