import { once } from 'node:events';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import type { NewTask, Queue } from '@app/queue';
import { startApiOver, type Store } from './support.js';

/** What the lease tokens of the document's examples are derived from. */
export const REQUEST_ID = 'Yb3kQ9x0T1uVw2Zp4RsA';

export interface Leased {
  items: { id: string; leaseToken: string; tenant: string; attempt: number }[];
}

/** Tasks of the queue `q`. */
export const submit = (queue: Queue, ...keys: string[]) =>
  queue.enqueue(keys.map((key): NewTask => ({ type: 'a', queue: 'q', key })));

export const stored = async (queue: Queue, key: string) => (await queue.get([`q~${key}`]))[0];

/** An API with tasks of which the first one or more are leased; answers the tokens. */
export async function startLeased(store: Store, keys: string[], max = keys.length) {
  const api = await startApiOver(store);
  await submit(api.queue, ...keys);
  const { body } = await api.http.post('/v1/queues/q/lease').send({ workerId: 'w', max }).expect(200);
  const tokens = (body as Leased).items.map(({ leaseToken }) => leaseToken);
  return { ...api, tokens };
}

export const post = (url: string, body: object, signal?: AbortSignal) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });

/** Sends a request over a connection of its own, which `leave` cuts. */
export function visit(url: string, body: object) {
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  sent.on('error', () => undefined);
  sent.end(JSON.stringify(body));
  const items = once(sent, 'response').then(async ([answer]) => ((await json(answer)) as Leased).items);
  items.catch(() => undefined);
  return { items, leave: () => void sent.destroy() };
}

export function connectionsOf(server: {
  getConnections(done: (error: Error | null, count: number) => void): void;
}) {
  return new Promise<number>((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

export const pointersOf = (body: { errors?: { pointer: string }[] }) =>
  body.errors?.map(({ pointer }) => pointer).sort();
