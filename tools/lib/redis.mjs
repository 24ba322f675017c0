import { spawn } from 'node:child_process';
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { outputOf } from './command.mjs';
import { installProgram } from './package-manager.mjs';
import { freePort } from './ports.mjs';
import { Problem } from './problem.mjs';
import { asService } from './processes.mjs';
import { askRedis } from './resp.mjs';

/**
 * A Redis server of our own on this machine, in a process group of its own, that keeps what it was told: every write is
 * in the append-only file before it is answered, nothing is ever evicted.
 *
 * @param {object} options
 * @param {string} options.binary from `findRedis` or `ensureRedis`
 * @param {string} options.dir where it keeps its files; created when missing
 * @param {number} [options.port] preferred port; another free one is taken when it is busy. Default: any free one
 * @param {'always' | 'everysec' | 'no'} [options.appendfsync] default `always`
 * @param {string[]} [options.args] more arguments, for example `['--maxmemory', '64mb']`
 * @param {number} [options.readyTimeoutMs] how long loading the file may take; default 300000 ms
 * @param {AbortSignal} [options.signal] stops waiting, and the server
 * @param {(server: {pid: number, port: number, stop: () => Promise<void>}) => Promise<void>} [options.onSpawn] called
 *   before it is waited for, so that even a server that never gets ready can be written down and stopped
 * @returns {Promise<{port: number, url: string, pid: number, exited: Promise<unknown>, stop: () => Promise<void>}>}
 * @throws Problem when it does not come up, with the end of its log
 */
export async function startRedis(options) {
  const {
    binary,
    dir,
    port,
    appendfsync = 'always',
    args = [],
    readyTimeoutMs = 300_000,
    signal,
    onSpawn,
  } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const actualPort = await freePort(port);
  const logfile = join(dir, 'redis.log');
  const config = {
    bind: '127.0.0.1',
    port: actualPort,
    'protected-mode': 'yes',
    dir,
    daemonize: 'no',
    logfile,
    save: '',
    appendonly: 'yes',
    appendfsync,
    'maxmemory-policy': 'noeviction',
    'lazyfree-lazy-eviction': 'yes',
    'lazyfree-lazy-expire': 'yes',
    'lazyfree-lazy-server-del': 'yes',
    'lazyfree-lazy-user-del': 'yes',
    'lazyfree-lazy-user-flush': 'yes',
  };
  const words = Object.entries(config).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(binary, [...words, ...args], { detached: true, stdio: 'ignore' });
  const service = asService('redis', child);
  // On SIGTERM it writes out its file and leaves; killing it any earlier would cut the file's end off.
  const stop = () => service.stop(15_000);
  const server = { pid: service.pid, port: actualPort, stop };
  if (service.pid !== undefined) await onSpawn?.(server);
  await waitUntilReady(service, actualPort, logfile, readyTimeoutMs, signal);
  return { ...server, url: `redis://127.0.0.1:${actualPort}`, exited: service.exited };
}

/**
 * A Sentinel of our own, which decides by itself and with others of its kind which server of a group is the primary.
 *
 * @param {object} options
 * @param {string} options.binary from `findRedis` or `ensureRedis`
 * @param {string} options.dir where it keeps its configuration, which it rewrites; created when missing
 * @param {string[]} options.config lines about what it watches, such as `sentinel monitor mymaster 127.0.0.1 6379 2`
 * @returns {Promise<{port: number, pid: number, exited: Promise<unknown>, stop: () => Promise<void>}>}
 * @throws Problem when it does not come up, with the end of its log
 */
export async function startSentinel({ binary, dir, config }) {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const port = await freePort();
  const [file, logfile] = [join(dir, 'sentinel.conf'), join(dir, 'sentinel.log')];
  const lines = ['bind 127.0.0.1', `port ${port}`, `dir "${dir}"`, `logfile "${logfile}"`, ...config];
  await writeFile(file, `${lines.join('\n')}\n`);
  const child = spawn(binary, [file, '--sentinel'], { detached: true, stdio: 'ignore' });
  const service = asService('sentinel', child);
  await waitUntilReady(service, port, logfile, 30_000);
  return { pid: service.pid, port, exited: service.exited, stop: () => service.stop(5_000) };
}

/**
 * The first redis-server or valkey-server that is new enough (Redis 7.0, Valkey 7.2), or undefined.
 * @returns {Promise<{binary: string, version: string} | undefined>}
 */
export async function findRedis() {
  return (await installedServers()).find(({ newEnough }) => newEnough);
}

/**
 * Like `findRedis`, but installs one with the system's package manager when there is none.
 * @throws Problem that holds the command to run by hand when this process may not or cannot do it
 */
export async function ensureRedis() {
  const servers = await installedServers();
  const good = servers.find(({ newEnough }) => newEnough);
  if (good) return good;
  for (const { binary, version } of servers) {
    console.log(`${binary} is ${version}; Redis 7.0 or Valkey 7.2 is the oldest that works.`);
  }
  return installProgram({ program: 'Redis', packages, advice, find: findRedis });
}

// The first package that brings a server is kept; distributions have moved between the two names.
const packages = {
  'apt-get': ['redis-server', 'valkey-server'],
  yum: ['redis', 'valkey'],
  zypper: ['redis', 'valkey'],
  brew: ['redis'],
  default: ['valkey', 'redis'],
};
const advice = 'Install Redis 7.0 (or Valkey 7.2) or newer, or set REDIS_URL to one that runs elsewhere.';

async function waitUntilReady(service, port, logfile, timeoutMs, signal) {
  const stepMs = 25;
  for (let waitedMs = 0; service.running() && !signal?.aborted && waitedMs < timeoutMs; waitedMs += stepMs) {
    const reply = await askRedis(port, ['PING']);
    if (reply === '+PONG\r\n') return;
    if (waitedMs === 2_000) console.log('Waiting for Redis to load its data…');
    await delay(stepMs);
  }
  await service.stop(15_000);
  const log = await readFile(logfile, 'utf8').catch(() => '');
  throw new Problem(`Redis did not start. The end of ${logfile}:\n${log.split('\n').slice(-12).join('\n')}`);
}

async function installedServers() {
  const dirs = [...(process.env.PATH ?? '').split(delimiter), ...usualDirs].filter(Boolean);
  const paths = ['redis-server', 'valkey-server'].flatMap((name) => dirs.map((dir) => join(dir, name)));
  const found = [];
  for (const binary of new Set(paths)) {
    if (!(await isExecutable(binary))) continue;
    const text = (await outputOf(binary, ['--version'])) ?? '';
    // Distributions install Valkey under Redis' name too, so the name is taken from what it says.
    const [, product, major, minor] = /^(\w+) server v=(\d+)\.(\d+)/.exec(text) ?? [];
    if (!product) continue;
    const oldest = product === 'Valkey' ? [7, 2] : [7, 0];
    const newEnough =
      Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1]);
    found.push({ binary, version: `${product} ${major}.${minor}`, newEnough });
  }
  return found;
}

const usualDirs = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/opt/homebrew/bin',
  '/opt/local/bin',
];

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
