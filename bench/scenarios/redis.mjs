import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { outputOf } from '../../tools/lib/command.mjs';
import { ensureRedis } from '../../tools/lib/redis.mjs';
import { startBenchRedis } from '../lib/servers.mjs';
import { whileRunning } from '../lib/while-running.mjs';
import { IN_FLIGHT, PAYLOAD_TEXT, QUEUE } from '../lib/work.mjs';

/** The least that a script can do to take a task in. */
const LEAST =
  "redis.call('SET', KEYS[1] .. ':' .. ARGV[1], ARGV[2]) return redis.call('LPUSH', KEYS[1], ARGV[1])";

/** What Redis itself can do, asked by its own benchmark program on one connection. */
export const redis = {
  figures: { redis: { title: `Redis alone, ${IN_FLIGHT} commands at a time`, unit: 'tasks/s' } },
  systems: ['lua', 'lpush'],
  async measure(system, { tasks }) {
    return whileRunning(await startBenchRedis(), async ({ port, url }) => {
      const client = new Redis(url);
      const sha1 = await client.script('LOAD', LEAST);
      await client.quit();
      const command = {
        lpush: ['LPUSH', QUEUE, PAYLOAD_TEXT],
        lua: ['EVALSHA', sha1, '1', QUEUE, '__rand_int__', PAYLOAD_TEXT],
      };
      return { redis: await benchmark(port, tasks * 5, command[system]) };
    });
  },
};

async function benchmark(port, requests, command) {
  const { binary, version } = await ensureRedis();
  const program = join(dirname(binary), `${version.split(' ')[0].toLowerCase()}-benchmark`);
  const options = [
    '-p',
    String(port),
    '-n',
    String(requests),
    '-c',
    '1',
    '-P',
    String(IN_FLIGHT),
    '-r',
    '1000000000',
  ];
  const output = await outputOf(program, [...options, '--csv', ...command]);
  const perSecond = Number(/^"(?!test).*?","([\d.]+)"/m.exec(output ?? '')?.[1]);
  if (!(perSecond > 0)) throw new Error(`${program} said:\n${output}`);
  return perSecond;
}
