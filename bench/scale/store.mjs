import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createRedisQueue } from '../../dist/libs/queue/src/index.js';
import { functionCall } from '../../dist/libs/queue/src/redis/functions.js';
import * as scripts from '../../dist/libs/queue/src/redis/scripts.generated.js';
import { ensureRedis, startRedis } from '../../tools/lib/redis.mjs';

/** Above it, SLOWLOG has a script. */
export const SLOW_US = 5_000;

/** Keys of the script whose work is always the same: as many as do not fit into a processor's caches. */
const FIXED_KEYS = 100_000;
/** As long as a batch of 100 takes. */
const FIXED_WORK = `local value = string.rep('x', 100)
for _ = 1, 500 do
  redis.call('SET', KEYS[1] .. math.random(${FIXED_KEYS}), value)
end`;

const allScripts = Object.values(scripts);
const nameOf = new Map(allScripts.map((script) => [functionCall(script), script.name]));

/**
 * A Redis server of its own with an engine on it. What a script costs is what Redis itself counts for it: the time between
 * sending and answering has the network, Node and whoever else uses the machine in it.
 */
export class Store {
  #redis;
  #dir;
  #admin;
  #fixedWork;

  /** @param {{now(): number}} [clock] instead of that of Redis, so that days can pass at once */
  static async open(clock) {
    const { binary } = await ensureRedis();
    const dir = await mkdtemp(join(tmpdir(), 'fairlane-bench-'));
    const redis = await startRedis({ binary, dir, appendfsync: 'no' });
    runBeforeOthers(redis.pid);
    const queue = createRedisQueue({ address: { port: redis.port }, clock });
    await queue.open();
    const store = new Store(redis, dir, queue);
    // The first call of a script compiles it, once in the life of a server.
    for (const { text } of allScripts) await store.#admin.script('LOAD', text);
    store.#fixedWork = await store.#admin.script('LOAD', FIXED_WORK);
    return store;
  }

  constructor(redis, dir, queue) {
    this.#redis = redis;
    this.#dir = dir;
    this.#admin = new Redis(redis.url);
    this.queue = queue;
  }

  get port() {
    return this.#redis.port;
  }

  /**
   * What `work` answers, and the µs that Redis spent in scripts meanwhile, without those in which the system let something
   * else run instead, where it says so; nothing else may use this server. `eachUs`: the same per script, as operators' calls
   * are several.
   */
  async timed(work) {
    const [before, cpuUs] = [await this.#scriptStats(), await this.#cpuUs()];
    const result = await work();
    // More than the scripts: reading what was sent, and answering. So it is the less only where Redis had to wait.
    const cpu = (await this.#cpuUs()) - cpuUs;
    const after = await this.#scriptStats();
    const script = after.us - before.us;
    const us = Number.isNaN(cpu) ? script : Math.min(script, cpu);
    return { result, us, eachUs: us / Math.max(1, after.calls - before.calls) };
  }

  /** µs of a script that has nothing to do with the engine, each call as much work as the last: what is the machine's. */
  async fixedWork() {
    const { us } = await this.timed(() => this.#admin.evalsha(this.#fixedWork, 1, 'bench:fixed:'));
    return us;
  }

  /** From here on SLOWLOG has what is slow. Waits until the append-only file's rewrite, for filling, is over. */
  async watchSlow() {
    while (/aof_rewrite_in_progress:1/.test(await this.#admin.info('persistence'))) await delay(200);
    await this.#admin.config('SET', 'slowlog-log-slower-than', SLOW_US);
    await this.#admin.config('SET', 'slowlog-max-len', 10_000);
    await this.#admin.slowlog('RESET');
  }

  /** Times of what was slow since then, in µs, by script. A single command is there if it was interrupted. */
  async slow() {
    const times = {};
    for (const [, , us, [command, called]] of await this.#admin.slowlog('GET', -1)) {
      const name = nameOf.get(called) ?? command;
      (times[name] ??= []).push(us);
    }
    return times;
  }

  async clear() {
    await this.#admin.flushall('SYNC');
  }

  async close() {
    await this.queue.close();
    await this.#admin.quit();
    await this.#redis.stop();
    await rm(this.#dir, { recursive: true });
  }

  /** Linux says it; elsewhere NaN. */
  async #cpuUs() {
    // Linux counts up to when the process last slept.
    await this.#admin.ping();
    const schedule = await readFile(`/proc/${this.#redis.pid}/schedstat`, 'utf8').catch(() => '');
    return Number.parseInt(schedule, 10) / 1_000;
  }

  async #scriptStats() {
    const stats = await this.#admin.info('commandstats');
    const found = [...stats.matchAll(/^cmdstat_(?:fcall|evalsha):calls=(\d+),usec=(\d+)/gm)];
    const sum = (group) => found.reduce((total, match) => total + Number(match[group]), 0);
    return { calls: sum(1), us: sum(2) };
  }
}

/** As far as this process may ask for it: otherwise what else runs on the machine is measured too. */
function runBeforeOthers(pid) {
  try {
    setPriority(pid, constants.priority.PRIORITY_HIGHEST);
  } catch (error) {
    if (error.code !== 'ERR_SYSTEM_ERROR') throw error;
  }
}
