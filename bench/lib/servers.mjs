import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, isPortFree } from '../../tools/lib/ports.mjs';
import { asService } from '../../tools/lib/processes.mjs';
import { ensureProgram } from './programs.mjs';
import { ensureRedis, startRedis } from '../../tools/lib/redis.mjs';

/**
 * A new Redis of its own for one measurement.
 *
 * @param {'off' | 'everysec' | 'always'} [fsync] when it writes its append-only file to disk; off: it has none
 */
export async function startBenchRedis(fsync = 'off') {
  const { binary } = await ensureRedis();
  const dir = await mkdtemp(join(tmpdir(), 'fairlane-bench-'));
  const redis = await startRedis({
    binary,
    dir,
    appendfsync: fsync === 'off' ? 'no' : fsync,
    args: fsync === 'off' ? ['--appendonly', 'no'] : [],
  });
  return {
    ...redis,
    async stop() {
      await redis.stop();
      await rm(dir, { recursive: true });
    },
  };
}

/** A beanstalkd that keeps everything in memory. */
export async function startBeanstalkd() {
  await ensureProgram('beanstalkd');
  const port = await freePort();
  const child = spawn('beanstalkd', ['-l', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const service = asService('beanstalkd', child);
  while ((await isPortFree(port)) && service.running()) await delay(10);
  return { port, pid: service.pid, stop: () => service.stop(1_000) };
}

/** The store that a system of `bench/peers` needs. */
export function startStore(system, fsync) {
  return system === 'beanstalkd' ? startBeanstalkd() : startBenchRedis(fsync);
}
