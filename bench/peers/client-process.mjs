// One client of one system in a process of its own: `client.mjs` in bench/lib starts it and calls the methods below.
import { BATCH, IN_FLIGHT } from '../lib/work.mjs';

const [system, address] = process.argv.slice(2);
const { open } = await import(`./${system}.mjs`);
const client = await open(JSON.parse(address));

/** When each task ended, in ms since the epoch, parts of them included. */
const endedAtMs = [];
let onStarted = () => {};
let closing = false;

const methods = {
  /** Submits so many tasks, `batch` at once; answers tasks per second. `tenants`: of so many tenants in turn. */
  async submit({ tasks, batch = 1, tenants }) {
    const calls = tasks / batch;
    let left = calls;
    const submitter = async () => {
      while (left > 0) {
        const call = left--;
        await client.enqueue(batch, tenants && ((i) => `tenant-${(call * batch + i) % tenants}`));
      }
    };
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, calls) }, submitter));
    return (tasks / (performance.now() - startedMs)) * 1_000;
  },

  /** Begins to work off whatever waits; `tenant`: of this one only. */
  work({ concurrency = BATCH, tenant } = {}) {
    const told = {
      started: () => onStarted(performance.now()),
      ended: () => endedAtMs.push(performance.timeOrigin + performance.now()),
    };
    const working = client.work(concurrency, told, tenant);
    // What it loops for is told on its way; that it is cut off when it closes is no news.
    Promise.resolve(working).catch((error) => {
      if (!closing) throw error;
    });
  },

  ended: () => endedAtMs.length,
  endedAtMs: () => endedAtMs,

  /** Submits tasks one after the other, each when all is at rest; answers how many ms passed until each began. */
  async latencies({ tasks, restMs }) {
    const latencies = [];
    for (let n = 0; n < tasks; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, restMs));
      const started = new Promise((resolve) => (onStarted = resolve));
      const submittedMs = performance.now();
      await client.enqueue(1);
      // The handler may begin before the submitter hears that its task is stored.
      await started.then((atMs) => latencies.push(atMs - submittedMs));
    }
    return latencies;
  },

  close() {
    closing = true;
    return client.close();
  },
};

process.on('message', (call) => void answer(call));
process.on('disconnect', () => process.exit());
process.send({ ready: true });

async function answer({ id, method, options }) {
  try {
    process.send({ id, result: await methods[method](options) });
  } catch (error) {
    process.send({ id, error: error.stack });
  }
}
