import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { transformFile } from '@swc/core';
import { freePort } from '../../tools/lib/ports.mjs';
import { startNodeService } from '../../tools/lib/processes.mjs';
import { root } from '../../tools/lib/root.mjs';

const SCRIPTS = {
  fairlane: () => 'dist/apps/api/src/main.js',
  'nest-bullmq': () => compile('bench/peers/nest-bullmq.ts'),
  'fastify-bullmq': () => 'bench/peers/fastify-bullmq.mjs',
  fastify: () => 'bench/peers/fastify.mjs',
};

/** One of the services that take tasks over HTTP, as a process of its own. Resolves when it is ready to serve. */
export async function startHttp(system, redis) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const service = startNodeService(system, await SCRIPTS[system](), {
    ...process.env,
    NODE_ENV: 'production',
    REDIS_URL: redis.url,
    PORT: String(port),
    LOG_LEVEL: 'error',
  });
  const isReady = () =>
    fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (!service.running()) throw new Error(`${system} ended before it was ready`);
    await delay(5);
  }
  return { url, pid: service.pid, stop: () => service.stop(10_000) };
}

/** Node runs no decorators, and the build of the apps has no place for peers. */
async function compile(source) {
  const { code } = await transformFile(join(root, source), {
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      target: 'es2023',
    },
    module: { type: 'es6' },
  });
  const target = join(root, 'dist', source.replace(/\.ts$/, '.mjs'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
  return target;
}
