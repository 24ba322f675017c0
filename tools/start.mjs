// npm start: Redis (unless REDIS_* says where one is), the API and one worker, in the foreground. With FAIRLANE_BACKEND=memory
// the API alone: no other process sees its memory.
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureBuild } from './lib/build.mjs';
import { lockData } from './lib/data-lock.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { freePort, isPortFree } from './lib/ports.mjs';
import { Problem, runTool } from './lib/problem.mjs';
import { startNodeService } from './lib/processes.mjs';
import { ensureRedis, startRedis } from './lib/redis.mjs';
import { root } from './lib/root.mjs';

/** Any of these says that Redis runs elsewhere. */
const redisVariables = ['REDIS_URL', 'REDIS_HOST', 'REDIS_SENTINELS', 'REDIS_CLUSTER_NODES'];
/** What has been started, oldest first, and how each is stopped. */
const started = [];
/** Services that a second Ctrl-C tells to hurry. */
const services = [];

const stopRequest = watchSignals();

await runTool(async () => {
  try {
    await ensureDependencies();
    if (!stopRequest.aborted) await ensureBuild();
    if (!stopRequest.aborted) await startAll();
    if (!stopRequest.aborted) await Promise.race([firstDeath(), once(stopRequest, 'abort')]);
  } catch (error) {
    // Whatever was interrupted on request is no failure.
    if (stopRequest.aborted) return;
    // Said before everything stops, with its many lines, as well as after.
    if (error instanceof Problem) console.error(`\n${error.message}`);
    throw error;
  } finally {
    await stopAll();
  }
});
// Timers and signal watchers must not keep a stopped process alive.
process.exit();

async function startAll() {
  const inMemory = setting('FAIRLANE_BACKEND') === 'memory';
  const needsRedis = !inMemory || setting('FAIRLANE_BULLMQ_QUEUES') !== undefined;
  const ownRedis = needsRedis && !redisVariables.some(setting) ? await claimData() : undefined;
  const host = setting('HOST') ?? '127.0.0.1';
  const port = setting('PORT') ?? '3000';
  if (/^\d{1,5}$/.test(port) && !(await isPortFree(Number(port), host))) {
    throw new Problem(
      `Port ${port} on ${host} is taken by another program. Stop that one, or choose: PORT=3100 npm start`,
    );
  }
  const redis = ownRedis ? await ownRedis.start() : { env: {}, where: 'in the Redis of your environment' };
  if (stopRequest.aborted) return;
  const env = { ...process.env, ...redis.env };

  const api = startService('api', 'dist/apps/api/src/main.js', { ...env, PORT: port, HOST: host });
  const apiUrl = `http://${reachable(host)}:${port}`;
  if (inMemory) {
    await waitUntilReady(api, apiUrl);
    if (!stopRequest.aborted) announce(apiUrl, undefined, 'in the memory of the API: gone when it ends');
    return;
  }
  const workerPort = setting('WORKER_PORT') ?? String(await freePort(3001));
  const worker = startService('worker', 'dist/apps/worker/src/main.js', { ...env, WORKER_PORT: workerPort });
  const workerUrl = `http://${reachable(setting('WORKER_HOST') ?? '127.0.0.1')}:${workerPort}`;
  await Promise.all([waitUntilReady(api, apiUrl), waitUntilReady(worker, workerUrl)]);
  if (!stopRequest.aborted) announce(apiUrl, workerUrl, redis.where);
}

/** Takes ./data/redis for this process; the claim comes before all else because it explains a second start best. */
async function claimData() {
  const dir = join(root, 'data', 'redis');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const lock = await lockData(dir);
  started.push({ name: 'data lock', stop: lock.release });
  return {
    start: async () => {
      const { binary, version } = await ensureRedis();
      const redis = await startRedis({
        binary,
        dir,
        port: 6390,
        signal: stopRequest,
        onSpawn: async ({ pid, port, stop }) => {
          started.push({ name: 'Redis', stop });
          await lock.recordServer(pid, port);
        },
      });
      services.push({ ...redis, name: 'Redis', signal: () => {} });
      return { env: { REDIS_URL: redis.url }, where: `${dir} (${version} on port ${redis.port})` };
    },
  };
}

function startService(name, script, env) {
  const service = startNodeService(name, script, env);
  services.push(service);
  started.push({ name, stop: () => service.stop(name === 'worker' ? workerGraceMs() : 40_000) });
  return service;
}

async function waitUntilReady(service, url) {
  for (let waitedMs = 0; ; waitedMs += 100) {
    if (!service.running()) throw await deathOf(service);
    if (stopRequest.aborted) return;
    if (waitedMs > 60_000)
      throw new Problem(`${service.name} was not ready within a minute; see its lines above.`);
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) }).catch(
      () => undefined,
    );
    // Emptied, so that the connection is free again.
    await response?.arrayBuffer().catch(() => undefined);
    if (response?.ok) return;
    await delay(100);
  }
}

async function firstDeath() {
  throw await Promise.race(services.map((service) => deathOf(service)));
}

async function deathOf(service) {
  const { code, signal } = await service.exited;
  const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  // 78 means that it refused its configuration and has said why.
  return new Problem(`${service.name} ${how}.`, code === 78 ? 78 : 1);
}

async function stopAll() {
  // API before worker before Redis: nobody loses what it still needs. The API was started before the worker, hence by name.
  const order = ['api', 'worker', 'Redis', 'data lock'];
  for (const name of order) {
    const entry = started.find((candidate) => candidate.name === name);
    if (!entry) continue;
    if (name !== 'data lock') console.log(`Stopping ${name}…`);
    await entry.stop().catch((error) => console.error(`Could not stop ${name}: ${error.message}`));
  }
}

/** Aborts with the first signal; later ones are passed on to the services, which then hurry. */
function watchSignals() {
  const controller = new AbortController();
  let firstAtMs;
  const onSignal = (signal) => {
    if (firstAtMs === undefined) {
      firstAtMs = performance.now();
      console.log(`\n${signal}: stopping; once more to hurry.`);
      controller.abort();
    } else if (performance.now() - firstAtMs > 500) {
      // One Ctrl-C arrives twice under npm, from the terminal and passed on by npm: hence the pause.
      for (const service of services) service.signal('SIGTERM');
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
  // Where npm's shell dies without passing the signal on, or npm was killed, nobody would tell us.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === 'start') {
    setInterval(() => {
      if (process.ppid !== parent && firstAtMs === undefined) onSignal('npm is gone');
    }, 1_000).unref();
  }
  // A reader of our output that went away must not take the services down in disorder.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  return controller.signal;
}

/** Without a worker of ours, says how to be one. */
function announce(apiUrl, workerUrl, data) {
  const auth = setting('FAIRLANE_API_KEYS') ? ` -H "authorization: Bearer $KEY"` : '';
  const post = (path, body, header = '') =>
    `  curl -s -X POST ${apiUrl}${path}${auth} -H 'content-type: application/json'${header} -d '${body}'`;
  const task = '{"type":"demo.echo","payload":{"hello":"world"}}';
  console.log(
    [
      '',
      'Fairlane is ready.',
      '',
      `  API           ${apiUrl}`,
      `  Documentation ${apiUrl}/docs`,
      `  Worker health ${workerUrl ? `${workerUrl}/health/ready` : 'none: tasks are asked for over HTTP'}`,
      `  Data          ${data}`,
      '',
      'Try it' + (auth ? ' (with one of your API keys in $KEY):' : ':'),
      '',
      ...(workerUrl
        ? [post('/v1/tasks', task, ` -H 'prefer: wait=10'`)]
        : [post('/v1/tasks', task), post('/v1/queues/default/lease', '{"workerId":"me"}')]),
      '',
      'Ctrl-C stops everything.',
      '',
    ].join('\n'),
  );
}

/** An environment variable; empty counts as unset, as in the services. */
function setting(name) {
  return process.env[name]?.trim() || undefined;
}

function reachable(host) {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** The worker's own drain timeout and some time to leave; it is killed only when it overruns both. */
function workerGraceMs() {
  const [, number, unit = 'ms'] =
    /^([\d.]+)(ms|s|m|h)?$/.exec(setting('WORKER_DRAIN_TIMEOUT') ?? '25s') ?? [];
  return Number(number ?? 25_000) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit] + 20_000;
}
