import { startClient } from '../lib/client.mjs';
import { Service } from '../lib/service.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { BATCH, QUEUE } from '../lib/work.mjs';
import { drainRate, submit, submitted } from './engine.mjs';
import { getSome, postOne, posted } from './http.mjs';

const TASKS_PER_TENANT = 10;

/** How many tasks wait. */
const WAITING = { empty: 0, '100,000': 100_000, full: 1_000_000 };
const QUICKER = 50;

/** The same work before an empty queue and before full ones. Each round leaves as many tasks as it found. */
export const size = {
  figures: {
    'size-enqueue-singly': { title: 'Enqueue singly', unit: 'tasks/s' },
    'size-enqueue-batches': { title: 'Enqueue in batches of 100', unit: 'tasks/s' },
    'size-drain': { title: 'Drain, one worker process', unit: 'tasks/s' },
    'size-http-post': { title: 'POST a task', unit: 'requests/s' },
    'size-http-get': { title: 'GET a task', unit: 'requests/s' },
    'size-http-pull': { title: 'Lease and complete over HTTP', unit: 'tasks/s' },
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
    return {
      'size-enqueue-singly': await enqueue({ tasks, tenants }),
      'size-enqueue-batches': await enqueue({ tasks, tenants, batch: BATCH }),
      'size-drain': await drainRate('fairlane', redis, 2 * submitted(tasks), 1),
      'size-http-post': await postOne(url, http),
      'size-http-get': await getSome(url, await someWaiting(url), http),
      'size-http-pull': await drainRate('fairlane-http', service, posted(http), 1),
    };
  },
};

async function someWaiting(url) {
  const page = await fetch(`${url}/v1/tasks?queue=${QUEUE}&state=pending&limit=${BATCH}`);
  const { items } = await page.json();
  return items.map(({ id }) => id);
}
