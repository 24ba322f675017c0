import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBullmqQueue, type RedisAddress } from '@app/queue';
import { type Processor, Queue as StockQueue, Worker as StockWorker, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { root } from '../../tools/lib/root.mjs';
import { removeKeys, sharedRedisPort } from '../support/redis.js';
import { closeApis, startApi } from './support.js';

/** What a test opens, closed after it in the order in which it was opened. */
const opened: { close(): Promise<unknown> }[] = [];
/** Of clients of the stock package. */
export const connection = { port: sharedRedisPort(), maxRetriesPerRequest: null };
let prefix: string;

/** Where stock queues of this test are. */
export const place = () => ({ connection, prefix });

/** Closes it when the test ends. */
export function closeLater<T extends { close(): Promise<unknown> }>(each: T): T {
  opened.push(each);
  return each;
}

/** Call at the top of a spec. */
export function useBullmq(): void {
  beforeEach(() => (prefix = `test-${randomBytes(6).toString('hex')}`));
  afterEach(async () => {
    await closeApis();
    for (const each of opened.splice(0)) await each.close();
    const redis = new Redis(connection);
    await removeKeys(redis, prefix);
    await redis.quit();
  });
}

/** Another API process, as far as anybody can tell. */
export async function startBullmqApi(address: RedisAddress = { port: sharedRedisPort() }) {
  const queue = createBullmqQueue({ address, prefix });
  await queue.open();
  return startApi(closeLater(queue));
}

/** An API on BullMQ, and a queue `q` of the stock package beside it. */
export async function start() {
  const { http, url, queue } = await startBullmqApi();
  const stock = closeLater(new StockQueue('q', place()));
  await stock.waitUntilReady();
  const submit = async (task: object = {}) => {
    const { body } = await http
      .post('/v1/tasks')
      .send({ type: 'mail.send', queue: 'q', ...task })
      .expect(202);
    return body as { id: string; state: string };
  };
  const taskOf = async (id: string) =>
    (await http.get(`/v1/tasks/${encodeURIComponent(id)}`).expect(200)).body;
  const ended = async (id: string) =>
    (await http.get(`/v1/tasks/${encodeURIComponent(id)}?wait=10`).expect(200)).body;
  const lease = async (request: object = {}) => {
    const answer = await http.post('/v1/queues/q/lease').send({ workerId: 'w', max: 1, ...request });
    return (answer.body.items ?? []) as { id: string; leaseToken: string; [field: string]: unknown }[];
  };
  const say = (id: string, verb: string, body: object = {}) =>
    http.post(`/v1/tasks/${encodeURIComponent(id)}/${verb}`).send(body);
  return { queue, stock, http, url, submit, taskOf, ended, lease, say };
}

/** A worker of the stock package. */
export function stockWorker(processor: Processor | null, options: Partial<WorkerOptions> = {}): StockWorker {
  const worker = closeLater(new StockWorker('q', processor, { ...place(), ...options }));
  worker.on('error', () => undefined);
  return worker;
}

/** The lines of a table of the guide, whose columns have these titles. */
export function table(...titles: string[]): string[][] {
  const text = readFileSync(join(root, 'docs/bullmq.md'), 'utf8');
  const tables = text.split('\n\n').map((part) => part.split('\n').map(cells));
  const found = tables.find(([head]) => head?.join() === titles.join());
  if (!found) throw new Error(`The guide has no table of ${titles.join(', ')}.`);
  return found.slice(2);
}

const cells = (line: string) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('`', ''));
