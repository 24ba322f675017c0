import { outputOf, runCommand } from './command.mjs';
import { Problem } from './problem.mjs';

/**
 * Installs a program with the first package manager found, saying each command before it runs.
 *
 * @template T
 * @param {object} wanted
 * @param {string} wanted.program what is missing, as people call it
 * @param {Record<string, string[]>} wanted.packages by the manager's name, `default` for all others: those that may bring it, the best one first
 * @param {string} wanted.advice a sentence on what to do where nothing helps
 * @param {() => Promise<T | undefined>} wanted.find tells whether a package brought what is needed
 * @returns {Promise<T>}
 * @throws Problem with the command to run by hand when there are no rights, or with the advice when nothing helped
 */
export async function installProgram({ program, packages, advice, find }) {
  const manager = await findManager();
  if (!manager) throw new Problem(`There is no ${program} here, and no known package manager. ${advice}`);
  const candidates = packages[manager.file] ?? packages.default ?? [];
  const prefix = await privilegePrefix(manager, program, candidates[0], advice);
  const run = ([file, ...args]) => {
    console.log(`${program} is missing; running: ${[file, ...args].join(' ')}`);
    return runCommand(file, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  if (manager.update) await run([...prefix, ...manager.update]);
  for (const name of candidates) {
    const code = await run([...prefix, ...manager.install, name]);
    if (code !== 0) continue;
    const found = await find();
    if (found) return found;
  }
  throw new Problem(`${manager.file} has no ${program} that will do. ${advice}`);
}

const managers = [
  {
    file: 'apt-get',
    update: ['apt-get', 'update', '-q'],
    install: ['apt-get', 'install', '-y', '-q', '--no-install-recommends'],
  },
  { file: 'dnf', install: ['dnf', 'install', '-y'] },
  { file: 'yum', install: ['yum', 'install', '-y'] },
  { file: 'apk', install: ['apk', 'add', '--no-cache'] },
  { file: 'pacman', install: ['pacman', '-Sy', '--noconfirm', '--needed'] },
  { file: 'zypper', install: ['zypper', '--non-interactive', 'install'] },
  { file: 'brew', install: ['brew', 'install'], asUser: true },
];

async function findManager() {
  for (const manager of managers) {
    if ((await outputOf(manager.file, ['--version'])) !== undefined) return manager;
  }
  return undefined;
}

/** What has to stand before the command so that it may install: nothing or sudo. */
async function privilegePrefix(manager, program, name, advice) {
  if (manager.asUser || process.getuid?.() === 0) return [];
  // -n: never ask for a password in the middle of a start.
  if ((await outputOf('sudo', ['-n', 'true'])) !== undefined) return ['sudo', '-n'];
  const commands = [manager.update, [...manager.install, name]].filter(Boolean);
  throw new Problem(
    `${program} is needed, and installing it needs root. Run this, then try again:\n\n` +
      `  ${commands.map((words) => ['sudo', ...words].join(' ')).join(' && ')}\n\n${advice}`,
  );
}
