import { Pool } from 'undici';
import { QUEUE } from '../lib/work.mjs';

const LOOPS = 4;
const BATCH = 50;

/** A worker that pulls over HTTP: it settles what it has and takes the next in one request. */
export async function open({ url }) {
  const pool = new Pool(url, { connections: LOOPS, pipelining: 1 });
  let closing = false;
  const post = async (path, body) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await pool.request({ path, method: 'POST', headers, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${path} was answered ${answer.statusCode}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    work(_concurrency, { ended }) {
      const loop = async (index) => {
        const terms = { queue: QUEUE, workerId: `pull:${process.pid}:${index}`, max: BATCH };
        let items = [];
        while (!closing) {
          const settlements = items.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' }));
          // With nothing to settle a worker asks for tasks only, and waits for them.
          const { queue, ...alone } = terms;
          const answer =
            items.length === 0
              ? { lease: await post(`/v1/queues/${queue}/lease`, { ...alone, wait: '1s' }), outcomes: [] }
              : await post('/v1/leases/settle', { settlements, next: terms });
          for (const { state } of answer.outcomes) if (state === 'completed') ended();
          items = answer.lease?.items ?? [];
        }
      };
      return Promise.all(Array.from({ length: LOOPS }, (_, index) => loop(index)));
    },
    async close() {
      closing = true;
      await pool.destroy();
    },
  };
}
