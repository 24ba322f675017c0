import { FlowProducer } from 'bullmq';
import { Redis } from 'ioredis';
import { ownRedis } from '../support/redis.js';
import {
  closeLater,
  connection,
  place,
  start,
  startBullmqApi,
  stockWorker,
  table,
  useBullmq,
} from './bullmq-support.js';

useBullmq();

type Answer = { status: number; body: { code: string } };

/** Leases the job over HTTP, brings it into trouble, and settles it. */
async function settleAfter(trouble: (jobId: string, redis: Redis) => Promise<unknown>): Promise<Answer> {
  const { stock, lease, say } = await start();
  const { id } = await stock.add('a', {});
  const [leased] = await lease();
  const redis = new Redis(connection);
  closeLater({ close: () => redis.quit() });
  await trouble(id!, redis);
  return say(leased!.id, 'complete', { leaseToken: leased!.leaseToken });
}

/** Submits to an API whose Redis is in trouble. */
async function submitAfter(trouble: (redis: Redis) => Promise<unknown>): Promise<Answer> {
  const own = await ownRedis();
  closeLater({ close: () => own.cleanup() });
  const { http } = await startBullmqApi({ url: own.url });
  const redis = new Redis(own.url);
  await trouble(redis);
  redis.disconnect();
  return http.post('/v1/tasks').send({ type: 'a', queue: 'q' });
}

const lockOf = (jobId: string) => `${place().prefix}:q:${jobId}:lock`;

/** A job that runs, of which another one is a child. */
const addChild = async (id: string, opts: object = {}) => {
  const flow = closeLater(new FlowProducer(place()));
  const parent = { id, queue: `${place().prefix}:q` };
  await flow.add({ name: 'child', queueName: 'q', opts: { parent, ...opts } });
};

const bring: Record<string, () => Promise<Answer>> = {
  'missing lock': () => settleAfter((jobId, redis) => redis.del(lockOf(jobId))),
  'lock of somebody else': () => settleAfter((jobId, redis) => redis.set(lockOf(jobId), 'theirs')),
  'missing job': () => settleAfter((jobId, redis) => redis.del(lockOf(jobId), `${place().prefix}:q:${jobId}`)),
  'job is not in the state for it': async () => {
    const { submit, say } = await start();
    return say((await submit()).id, 'retry');
  },
  'job belongs to a schedule': async () => {
    const { stock, say } = await start();
    await stock.upsertJobScheduler('daily', { every: 86_400_000 }, { name: 'a' });
    const [job] = await stock.getJobs(['delayed', 'waiting', 'prioritized']);
    return say(`q~%%${encodeURIComponent(job!.id!)}`, 'cancel');
  },
  'job has children that wait': () => settleAfter((jobId) => addChild(jobId)),
  'job has children that have failed': () =>
    settleAfter(async (jobId) => {
      await addChild(jobId, { failParentOnFailure: true });
      const child = (await stockWorker(null).getNextJob('t'))!;
      await child.moveToFailed(new Error('no'), 't', false);
    }),
  'no answer': () => submitAfter((redis) => redis.client('PAUSE', 3_000)),
  'LOADING, READONLY, BUSY': () => submitAfter((redis) => redis.replicaof('127.0.0.1', 1)),
  'OOM': () => submitAfter((redis) => redis.config('SET', 'maxmemory', 1)),
}; // prettier-ignore

test.each(table('BullMQ says', 'here'))('%s is answered %s', async (says, here) => {
  const { status, body } = await bring[says!]!();
  const [, expected, code] = /^(\d+) ([a-z-]+)/.exec(here!)!;
  expect([status, body.code]).toEqual([Number(expected), code]);
});

test('what does not hold any more is told a heartbeat, too', async () => {
  const { stock, lease, say } = await start();
  const { id } = await stock.add('a', {});
  const [leased] = await lease();
  const redis = new Redis(connection);
  closeLater({ close: () => redis.quit() });
  await redis.set(lockOf(id!), 'theirs');
  const { status, body } = await say(leased!.id, 'heartbeat', {
    leaseToken: leased!.leaseToken,
    logs: ['x'],
  });
  expect([status, body.code]).toEqual([409, 'lease-lost']);
});
