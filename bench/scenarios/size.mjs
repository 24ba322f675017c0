import { startClient } from '../lib/client.mjs';
import { quantile } from '../lib/figures.mjs';
import { Service } from '../lib/service.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { BATCH, QUEUE, TENANT } from '../lib/work.mjs';
import { drainRate, restLatencies, submit, submitted } from './engine.mjs';
import { getSome, postedOne, postMany, postedMany, postOne } from './http.mjs';
import { waitRate } from './pull.mjs';

const TASKS_PER_TENANT = 10;
/** A worker that leaves what waits where it is. */
const LONE = { tenant: TENANT };

/** How many tasks wait. */
const WAITING = { empty: 0, '100,000': 100_000, full: 1_000_000 };
const QUICKER = 50;

/**
 * The same work before an empty queue and before full ones. Each round leaves as many tasks as it found, and those that are
 * taken at once are of as many tenants at every size: 50 tasks of 50 tenants are more work than 50 of one.
 */
export const size = {
  figures: {
    'size-enqueue-singly': { title: 'Enqueue singly', unit: 'tasks/s' },
    'size-enqueue-batches': { title: 'Enqueue in batches of 100', unit: 'tasks/s' },
    'size-drain': { title: 'Drain, one worker process', unit: 'tasks/s' },
    'size-drain-two': { title: 'Drain, two worker processes', unit: 'tasks/s' },
    'size-latency': { title: 'Enqueue to handler at rest, median', unit: 'ms', less: true },
    'size-http-post': { title: 'POST a task', unit: 'requests/s' },
    'size-http-post-batches': { title: 'POST 100 tasks', unit: 'tasks/s' },
    'size-http-get': { title: 'GET a task', unit: 'requests/s' },
    'size-http-pull': { title: 'Lease and complete over HTTP', unit: 'tasks/s' },
    'size-http-wait': { title: 'POST with Prefer: wait', unit: 'requests/s' },
  },
  systems: Object.keys(WAITING),
  async prepare(system, { quick }) {
    const service = await Service.start();
    const tasks = WAITING[system] / (quick ? QUICKER : 1);
    if (tasks > 0) {
      await whileRunning(await startClient('fairlane', service.redis), (client) =>
        client.call('submit', { tasks, batch: BATCH, tenants: tasks / TASKS_PER_TENANT }),
      );
    }
    return service;
  },
  async measure(_system, settings, service) {
    const tasks = settings.tasks / 2;
    const http = { ...settings, requests: settings.requests / 2 };
    const { redis, url } = service;
    const enqueue = async (options) =>
      whileRunning(await startClient('fairlane', redis), (client) => submit(client, options));
    const tenants = tasks / TASKS_PER_TENANT;
    const drain = (workers) => drainRate('fairlane', redis, submitted(tasks), workers);

    const singly = await enqueue({ tasks, tenants });
    const drainOne = await drain(1);
    const batches = await enqueue({ tasks, tenants, batch: BATCH });
    const drainTwo = await drain(2);
    const latencies = await whileRunning(await startClient('fairlane', redis), (client) =>
      restLatencies(client, settings, LONE),
    );
    const post = await postOne(url, http);
    const postBatches = await postMany(url, http);
    const get = await getSome(url, await someWaiting(url), http);
    await drainRate('fairlane', redis, postedOne(http) + postedMany(http), 1, LONE);
    await enqueue({ tasks, tenants, batch: BATCH });
    const pull = await drainRate('fairlane-http', service, submitted(tasks), 1);
    return {
      'size-enqueue-singly': singly,
      'size-enqueue-batches': batches,
      'size-drain': drainOne,
      'size-drain-two': drainTwo,
      'size-latency': quantile(latencies, 0.5),
      'size-http-post': post,
      'size-http-post-batches': postBatches,
      'size-http-get': get,
      'size-http-pull': pull,
      'size-http-wait': await waitRate(service, http, LONE),
    };
  },
};

async function someWaiting(url) {
  const page = await fetch(`${url}/v1/tasks?queue=${QUEUE}&state=pending&limit=${BATCH}`);
  const { items } = await page.json();
  return items.map(({ id }) => id);
}
