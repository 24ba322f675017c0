import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { Problem } from './problem.mjs';
import { root } from './root.mjs';

/**
 * Installs the packages of package-lock.json unless exactly these are installed already.
 * @throws Problem when Node is too old or the installation fails
 */
export async function ensureDependencies() {
  await checkNode();
  if (await isInstalled()) return;
  // Building needs the development packages, whatever NODE_ENV says.
  const options = ['--no-fund', '--no-audit', '--include=dev'];
  console.log('Installing dependencies…');
  // npm 11 refuses to `ci` a lock file that lacks optional packages of other platforms, which a registry that is behind
  // with some of them leaves out. Installing takes the same versions, and says what is wrong if something is.
  if ((await runNpm(['ci', '--silent', ...options])) === 0) return;
  const code = await runNpm(['install', '--no-save', '--loglevel=error', ...options]);
  if (code !== 0) throw new Problem(`npm install failed with exit code ${code}; its own message is above.`);
}

function runNpm(args) {
  const npm = process.env.npm_execpath;
  return npm ? runCommand(process.execPath, [npm, ...args]) : runCommand('npm', args);
}

// npm writes the record of what it installed last of all, so an interrupted installation leaves none.
async function isInstalled() {
  const [wanted, installed] = await Promise.all([
    readPackages(join(root, 'package-lock.json')),
    readPackages(join(root, 'node_modules', '.package-lock.json')),
  ]);
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true;
    // Optional packages are absent where they are made for another platform.
    return installed[path] ? installed[path].version === version : Boolean(optional || devOptional);
  });
}

async function readPackages(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

async function checkNode() {
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const [major, minor] = engines.node.match(/\d+/g).map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor < major || (ownMajor === major && ownMinor < minor)) {
    throw new Problem(`Node ${engines.node} is needed; this is ${process.versions.node}.`);
  }
}
