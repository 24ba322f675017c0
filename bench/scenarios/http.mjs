import { httpLoad, requestsSent } from '../lib/http-load.mjs';
import { startHttp } from '../lib/http-services.mjs';
import { startBenchRedis } from '../lib/servers.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { BATCH, IN_FLIGHT, PAYLOAD, QUEUE, TYPE } from '../lib/work.mjs';

const SERVICES = ['fairlane', 'nest-bullmq', 'fastify-bullmq', 'fastify'];
/** With more BullMQ needs longer to say that a job is waiting: it looks for it in a list. */
const WAITING = 500;
const READ = 100;
/** A batch is so many times the work of a single task. */
const LIGHTER = 30;

const TASK = { queue: QUEUE, type: TYPE, payload: PAYLOAD };
const BODY = JSON.stringify(TASK);
const BATCH_BODY = JSON.stringify({ tasks: Array.from({ length: BATCH }, () => TASK) });

export const post = {
  figures: { 'http-post': { title: 'POST a task, 64 connections', unit: 'requests/s' } },
  systems: SERVICES,
  measure: (system, options) =>
    withService(system, options, async (url) => ({ 'http-post': await postOne(url, options) })),
};

export const postBatches = {
  figures: { 'http-post-batches': { title: 'POST 100 tasks, 64 connections', unit: 'tasks/s' } },
  systems: SERVICES,
  measure: (system, options) =>
    withService(system, options, async (url) => ({ 'http-post-batches': await postMany(url, options) })),
};

export const get = {
  figures: {
    'http-get': { title: `GET one of ${WAITING} waiting tasks, 64 connections`, unit: 'requests/s' },
  },
  systems: SERVICES,
  measure: (system, options) =>
    withService(system, options, async (url) => {
      const ids = [];
      for (let stored = 0; stored < WAITING; stored += BATCH) ids.push(...(await store(url)));
      return { 'http-get': await getSome(url, ids, options) };
    }),
};

export function postOne(url, { requests }) {
  return httpLoad({ url: `${url}/v1/tasks`, body: BODY, connections: IN_FLIGHT, requests });
}

/** How many tasks wait after that. */
export function postedOne({ requests }) {
  return requestsSent(IN_FLIGHT, requests);
}

export async function postMany(url, { requests }) {
  const load = { url: `${url}/v1/tasks/batch`, body: BATCH_BODY, connections: IN_FLIGHT };
  return BATCH * (await httpLoad({ ...load, requests: batchesOf(requests) }));
}

/** How many tasks wait after that. */
export function postedMany({ requests }) {
  return BATCH * requestsSent(IN_FLIGHT, batchesOf(requests));
}

function batchesOf(requests) {
  return Math.max(IN_FLIGHT, Math.ceil(requests / LIGHTER));
}

/** Reads some of these tasks in turn. */
export function getSome(url, ids, { requests }) {
  const step = ids.length / READ;
  const some = Array.from({ length: READ }, (_, i) => ids[Math.floor(i * step)]);
  const urls = some.map((id) => `${url}/v1/tasks/${encodeURIComponent(id)}`);
  return httpLoad({ url: urls, connections: IN_FLIGHT, requests });
}

async function store(url) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/tasks/batch`, { method: 'POST', headers, body: BATCH_BODY });
  const { items } = await response.json();
  return items.map(({ task }) => task.id);
}

async function withService(system, { fsync }, work) {
  return whileRunning(await startBenchRedis(fsync), async (redis) =>
    whileRunning(await startHttp(system, redis), ({ url }) => work(url)),
  );
}
