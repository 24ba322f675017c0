// npm test: every check, then every test. npm test -- --only=checks | --only=jest [arguments for Jest]
import { join } from 'node:path';
import { runCommand } from './lib/command.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { Problem, runTool } from './lib/problem.mjs';
import { ensureRedis } from './lib/redis.mjs';
import { root } from './lib/root.mjs';

const bin = (path) => [process.execPath, join(root, 'node_modules', path)];

/** In the order in which they run: what is quick to fail and quick to mend comes first. */
const checks = [
  { title: 'Format', command: [...bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.'] },
  {
    title: 'Lint',
    command: [...bin('oxlint/bin/oxlint'), '--type-aware', '--deny-warnings', '--quiet', '.'],
  },
  { title: 'Types', command: [...bin('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'] },
  {
    title: 'Import rules',
    command: [
      ...bin('dependency-cruiser/bin/dependency-cruise.mjs'),
      '--config',
      '.dependency-cruiser.cjs',
      ...'apps libs test bench'.split(' '),
    ],
  },
  { title: 'Unused code', command: [...bin('knip/bin/knip.js'), '--no-progress'] },
  { title: 'Generated files', command: [process.execPath, 'tools/generate.mjs', '--check'] },
  { title: 'Build', command: [process.execPath, 'tools/build.mjs'] },
];

await runTool(async () => {
  const args = process.argv.slice(2);
  const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
  const jestArgs = args.filter((arg) => !arg.startsWith('--only='));
  if (only !== undefined && only !== 'checks' && only !== 'jest')
    throw new Problem(`--only is checks or jest, not ${only}.`);

  await ensureDependencies();
  if (only !== 'jest') await runChecks();
  if (only !== 'checks') await runJest(jestArgs);
});

async function runChecks() {
  const times = [];
  for (const { title, command } of checks) {
    heading(title);
    const startedAtMs = performance.now();
    const [file, ...args] = command;
    const code = await runCommand(file, args);
    if (code !== 0) throw new Problem(`${title}: failed with exit code ${code}.`, code);
    times.push([title, performance.now() - startedAtMs]);
  }
  heading('Checks passed');
  for (const [title, ms] of times)
    console.log(`${title.padEnd(16)} ${(ms / 1_000).toFixed(1).padStart(6)} s`);
}

/** Jest's own summary is the last thing printed, so nothing may follow it. */
async function runJest(args) {
  heading('Tests');
  const { binary, version } = await ensureRedis();
  console.log(`With ${version} (${binary})\n`);
  const jest = bin('jest/bin/jest.js');
  const flags = ['--experimental-vm-modules', '--no-warnings'];
  process.exitCode = await runCommand(jest[0], [...flags, jest[1], '--maxWorkers=2', ...args]);
}

function heading(title) {
  console.log(`\n== ${title} ${'='.repeat(Math.max(0, 70 - title.length))}`);
}
