import { outputOf, runCommand } from './command.mjs';
import { Problem } from './problem.mjs';

/**
 * Installs Redis or Valkey with the first package manager found, saying each command before it runs.
 *
 * @template T @param {() => Promise<T | undefined>} find tells whether a package brought what is needed
 * @returns {Promise<T>}
 * @throws Problem with the command to run by hand when there are no rights, or with what to install when nothing helped
 */
export async function installRedis(find) {
  const manager = await findManager();
  if (!manager) throw new Problem(`No Redis server and no known package manager here. ${advice}`);
  const prefix = await privilegePrefix(manager);
  if (manager.update) await run([...prefix, ...manager.update]);
  for (const name of manager.packages) {
    const code = await run([...prefix, ...manager.install, name]);
    if (code !== 0) continue;
    const found = await find();
    if (found) return found;
  }
  throw new Problem(`${manager.file} has no Redis 7.0 or Valkey 7.2. ${advice}`);
}

const advice = 'Install Redis 7.0 (or Valkey 7.2) or newer, or set REDIS_URL to one that runs elsewhere.';

// The first package that brings a server is kept; distributions have moved between the two names.
const managers = [
  {
    file: 'apt-get',
    update: ['apt-get', 'update', '-q'],
    install: ['apt-get', 'install', '-y', '-q', '--no-install-recommends'],
    packages: ['redis-server', 'valkey-server'],
  },
  { file: 'dnf', install: ['dnf', 'install', '-y'], packages: ['valkey', 'redis'] },
  { file: 'yum', install: ['yum', 'install', '-y'], packages: ['redis', 'valkey'] },
  { file: 'apk', install: ['apk', 'add', '--no-cache'], packages: ['redis', 'valkey'] },
  { file: 'pacman', install: ['pacman', '-Sy', '--noconfirm', '--needed'], packages: ['valkey', 'redis'] },
  {
    file: 'zypper',
    install: ['zypper', '--non-interactive', 'install'],
    packages: ['redis', 'valkey'],
  },
  { file: 'brew', install: ['brew', 'install'], packages: ['redis'], asUser: true },
];

async function findManager() {
  for (const manager of managers) {
    if ((await outputOf(manager.file, ['--version'])) !== undefined) return manager;
  }
  return undefined;
}

/** What has to stand before the command so that it may install: nothing or sudo. */
async function privilegePrefix(manager) {
  if (manager.asUser || process.getuid?.() === 0) return [];
  // -n: never ask for a password in the middle of a start.
  if ((await outputOf('sudo', ['-n', 'true'])) !== undefined) return ['sudo', '-n'];
  const commands = [manager.update, [...manager.install, manager.packages[0]]].filter(Boolean);
  throw new Problem(
    `A Redis server is needed and installing it needs root. Run this, then try again:\n\n` +
      `  ${commands.map((words) => ['sudo', ...words].join(' ')).join(' && ')}\n\n` +
      `Or set REDIS_URL to a Redis that runs elsewhere.`,
  );
}

async function run(words) {
  console.log(`Redis is missing; running: ${words.join(' ')}`);
  const [file, ...args] = words;
  return runCommand(file, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
}
