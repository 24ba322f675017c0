import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { outputOf } from '../../tools/lib/command.mjs';
import { ensureRedis } from '../../tools/lib/redis.mjs';
import { versionOf } from './programs.mjs';
import { root } from '../../tools/lib/root.mjs';

const WATCHED_MS = 2_000;

/** When, where and with which versions it was measured. `busy`: by how much the machine was before. */
export async function describeRun(busy) {
  return {
    at: new Date().toISOString(),
    commit: await commit(),
    machine: {
      cpu: cpus()[0].model,
      cores: availableParallelism(),
      memoryGb: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
      // Figures of a busy machine are not those of an idle one.
      busyPercentBefore: busy,
    },
    versions: {
      node: process.versions.node,
      redis: (await ensureRedis()).version,
      beanstalkd: await versionOf('beanstalkd'),
      h2load: await versionOf('h2load'),
      ...Object.fromEntries(
        await Promise.all(
          ['bullmq', 'bee-queue', '@nestjs/core', 'fastify'].map(async (name) => [
            name,
            await packageVersion(name),
          ]),
        ),
      ),
    },
  };
}

async function commit() {
  // What an earlier run has written is no change to what is measured.
  const others = ['--', '.', ':!bench/results'];
  const [hash, changed] = await Promise.all([
    outputOf('git', ['-C', root, 'rev-parse', '--short', 'HEAD']),
    outputOf('git', ['-C', root, 'status', '--porcelain', '--untracked-files=no', ...others]),
  ]);
  return hash === undefined ? undefined : hash.trim() + (changed === '' ? '' : ' with changes');
}

/** How busy the machine is, on all its cores. */
export async function busyPercent() {
  const before = cpuTimes();
  await delay(WATCHED_MS);
  const after = cpuTimes();
  return Math.round((1 - (after.idle - before.idle) / (after.all - before.all)) * 100);
}

function cpuTimes() {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap((each) => Object.values(each))) };
}

async function packageVersion(name) {
  const path = createRequire(import.meta.url).resolve(`${root}/node_modules/${name}/package.json`);
  return JSON.parse(await readFile(path, 'utf8')).version;
}
