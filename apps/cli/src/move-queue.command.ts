import { parseArgs } from 'node:util';
import { createBackend, moveQueue, type MoveProgress, QueueError } from '@app/queue';
import { backendSettings, chooseBackends, ConfigError, readSettings, redisSettings } from '@app/runtime';
import { type Command, complain, say } from './command.js';

const LEFT_SHOWN = 20;
const LOG = { info: complain, warn: complain, error: complain };

export const moveQueueCommand: Command = {
  usage: 'QUEUE [--from redis://…] [--prefix bull]',
  about: `Moves the jobs that wait in a queue of BullMQ's to the queue of that name of our own engine, which is where REDIS_URL and
its like say. --from is the Redis that BullMQ uses, FAIRLANE_BULLMQ_REDIS_URL or else the same by default, --prefix what BullMQ calls
so, FAIRLANE_BULLMQ_PREFIX by default.

The queue is paused on BullMQ, and stays so. May be stopped, or killed, and started again at any time: docs/moving-from-bullmq.md`,

  async run(args) {
    try {
      const { queue, from, prefix } = parse(args);
      const options = readOptions();
      const to = await createBackend('redis', options);
      await to.open();
      const stop = stopped();
      try {
        const source = {
          address: from === undefined ? options.bullmq.address : { url: from },
          prefix: prefix ?? options.bullmq.prefix,
        };
        const moved = await moveQueue({
          ...{ from: source, queue, to, signal: stop, logger: LOG },
          onProgress: (progress) => say(inWords(progress)),
        });
        report(queue, moved, stop.aborted);
        return stop.aborted || moved.left.length > 0 || moved.running > 0 ? 1 : 0;
      } finally {
        await to.close();
      }
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof QueueError || error instanceof UsageError))
        throw error;
      complain(error.message);
      return error instanceof QueueError ? 1 : 2;
    }
  },
};

class UsageError extends Error {}

function parse(args: string[]): { queue: string; from?: string; prefix?: string } {
  try {
    const { positionals, values } = parseArgs({
      args,
      allowPositionals: true,
      options: { from: { type: 'string' }, prefix: { type: 'string' } },
    });
    const [queue, ...more] = positionals;
    if (queue === undefined || more.length > 0) throw new Error('Name one queue.');
    return { queue, ...values };
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message}\n\nnpm run cli -- move-queue ${moveQueueCommand.usage}`,
    );
  }
}

/** Only what says where queues are: the rest of the environment is other processes'. */
function readOptions() {
  const tables = { backend: backendSettings, redis: redisSettings };
  const names = Object.values(tables).flatMap(({ settings }) =>
    Object.values(settings).map(({ env }) => env),
  );
  const given = readSettings(tables, Object.fromEntries(names.map((name) => [name, process.env[name]])));
  return chooseBackends(given.backend, given.redis).options;
}

function stopped(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

function inWords({ moved, waiting, running, left }: MoveProgress): string {
  return `${moved} moved, ${waiting - left.length} to go, ${left.length} cannot be moved, ${running} running`;
}

function report(queue: string, progress: MoveProgress, aborted: boolean): void {
  const { left, running } = progress;
  say(`${aborted ? 'Stopped' : 'Done'}: ${inWords(progress)}.`);
  for (const { jobId, reason } of left.slice(0, LEFT_SHOWN)) say(`  job ${jobId} was left: ${reason}`);
  if (left.length > LEFT_SHOWN) say(`  and ${left.length - LEFT_SHOWN} more`);
  if (running > 0)
    say(`  ${running} still run on BullMQ; start again once they have ended, for those that failed`);
  say(`  ${queue} stays paused on BullMQ.`);
}
