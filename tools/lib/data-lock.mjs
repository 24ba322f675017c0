import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from './problem.mjs';
import { processIdentity } from './processes.mjs';
import { askRedis } from './resp.mjs';

/**
 * Claims a data directory, because two Redis servers appending to one file would destroy it. The claim of a process that
 * has died is taken over, and a Redis server it left behind is stopped first.
 *
 * @param {string} dir
 * @returns {Promise<{recordServer: (pid: number, port: number) => Promise<void>, release: () => Promise<void>}>}
 * @throws Problem when another living process holds it
 */
export async function lockData(dir) {
  const path = join(dir, 'lock.json');
  const claim = { pid: process.pid, identity: await processIdentity(process.pid) };
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(path, JSON.stringify(claim), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST' || attempt > 3) throw error;
      await clearStaleClaim(path, dir);
    }
  }
  return {
    recordServer: (pid, port) => writeFile(path, JSON.stringify({ ...claim, server: { pid, port } })),
    release: () => rm(path, { force: true }),
  };
}

async function clearStaleClaim(path, dir) {
  const claim = await readClaim(path);
  if (claim && (await processIdentity(claim.pid)) === claim.identity) {
    throw new Problem(
      `Another Fairlane (process ${claim.pid}) already uses ${dir}.\n` +
        `Stop it first, or point this one at another Redis with REDIS_URL.`,
    );
  }
  if (claim?.server) await stopLeftServer(claim.server);
  await rm(path, { force: true });
}

async function readClaim(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    // Empty or cut off: whoever wrote it did not live to start a server.
    return undefined;
  }
}

async function stopLeftServer({ pid, port }) {
  const info = await askRedis(port, ['INFO', 'server']);
  if (!info?.includes(`process_id:${pid}\r\n`)) return;
  console.log(`Stopping the Redis server (process ${pid}) that an earlier run left behind…`);
  process.kill(pid, 'SIGTERM');
  for (let waitedMs = 0; await processIdentity(pid); waitedMs += 50) {
    if (waitedMs > 15_000)
      throw new Problem(`The Redis server left behind (process ${pid}) does not stop; stop it by hand.`);
    await delay(50);
  }
}
