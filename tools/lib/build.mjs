import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runCommand } from './command.mjs';
import { Problem } from './problem.mjs';
import { root } from './root.mjs';

/** Builds unless `dist` was built from exactly the present sources. @throws Problem when the build fails */
export async function ensureBuild() {
  const built = await readFile(stampPath, 'utf8').catch(() => undefined);
  if (built !== (await hashSources())) await build();
}

/** Builds everything from nothing into `dist`. @throws Problem when the build fails */
export async function build() {
  console.log('Building…');
  // Hashed first: a source that changes during the build makes the result stale, not fresh.
  const hash = await hashSources();
  // Nest would clean per project, and all projects share one dist.
  await rm(join(root, 'dist'), { recursive: true, force: true });
  const code = await runCommand(process.execPath, [
    join(root, 'node_modules/@nestjs/cli/bin/nest.js'),
    'build',
    '--all',
  ]);
  if (code !== 0) throw new Problem(`The build failed with exit code ${code}; its own message is above.`);
  // Imported here: in a fresh clone its package is installed after this module has been read. Only the API: handlers of a worker may
  // use packages that do not fit into a file.
  const { bundle } = await import('./bundle.mjs');
  await bundle(join(root, 'dist/apps/api/src/main.js'));
  await writeFile(stampPath, hash);
}

const stampPath = join(root, 'dist', '.sources.sha256');

async function hashSources() {
  const files = [
    'package-lock.json',
    'nest-cli.json',
    'tsconfig.json',
    'tools/lib/bundle.mjs',
    ...(await filesIn('apps')),
    ...(await filesIn('libs')),
  ];
  const hash = createHash('sha256');
  for (const file of files.toSorted((a, b) => (a < b ? -1 : 1))) {
    const text = await readFile(join(root, file));
    hash.update(`${file}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex');
}

async function filesIn(dir) {
  const entries = await readdir(join(root, dir), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));
}
