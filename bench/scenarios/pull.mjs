import { startClient } from '../lib/client.mjs';
import { httpLoad } from '../lib/http-load.mjs';
import { Service } from '../lib/service.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { BATCH, PAYLOAD, QUEUE, TYPE } from '../lib/work.mjs';
import { drainRate } from './engine.mjs';

const CONNECTIONS = 32;

export const pull = {
  figures: { 'http-pull': { title: 'Lease and complete over HTTP, batches of 50', unit: 'tasks/s' } },
  systems: ['fairlane'],
  async measure(_system, { tasks, fsync }) {
    return whileRunning(await Service.start(fsync), async (service) => {
      await whileRunning(await startClient('fairlane', service.redis), (client) =>
        client.call('submit', { tasks, batch: BATCH }),
      );
      return { 'http-pull': await drainRate('fairlane-http', service, tasks, 1) };
    });
  },
};

export const wait = {
  figures: {
    'http-wait': {
      title: `POST with Prefer: wait of a no-op, ${CONNECTIONS} connections`,
      unit: 'requests/s',
    },
  },
  rounds: 7,
  systems: ['fairlane'],
  async measure(_system, { requests, fsync }) {
    return whileRunning(await Service.start(fsync), async (service) => ({
      'http-wait': await waitRate(service, { requests }),
    }));
  },
};

/** Requests per second that submit a task and wait until a worker process has ended it. */
export async function waitRate({ redis, url }, { requests }, work) {
  return whileRunning(await startClient('fairlane', redis), async (client) => {
    await client.call('work', work);
    return httpLoad({
      url: `${url}/v1/tasks`,
      body: JSON.stringify({ queue: QUEUE, type: TYPE, payload: PAYLOAD }),
      headers: ['prefer: wait=10'],
      connections: CONNECTIONS,
      requests: Math.ceil(requests / 2),
    });
  });
}
