// npm test: every check, a short benchmark, then every test. npm test -- --only=checks | --only=jest [arguments for Jest]
import { runCommand } from './lib/command.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { Problem, runTool } from './lib/problem.mjs';
import { ensureRedis } from './lib/redis.mjs';

/** In the order in which they run: what is quick to fail and quick to mend comes first. */
const checks = [
  { title: 'Format', script: 'check:format' },
  { title: 'Lint', script: 'check:lint' },
  { title: 'Types', script: 'check:types' },
  // Before the next two: the benchmark imports what is built.
  { title: 'Build', script: 'build' },
  { title: 'Import rules', script: 'check:imports' },
  { title: 'Unused code', script: 'check:unused' },
  { title: 'Generated files', script: 'generate', args: ['--', '--check'] },
];

/** The engine beside BullMQ, on the same machine at the same time: a quarter of what must hold will do. */
const SPEED = ['--only', 'enqueue-batches,drain', '--systems', 'fairlane,bullmq', '--guard', '0.25'];
const SPEED_WORK = ['--tasks', '4000', '--rounds', '2'];

await runTool(async () => {
  const args = process.argv.slice(2);
  const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
  const jestArgs = args.filter((arg) => !arg.startsWith('--only='));
  if (only !== undefined && only !== 'checks' && only !== 'jest')
    throw new Problem(`--only is checks or jest, not ${only}.`);

  await ensureDependencies();
  if (only !== 'jest') await runChecks();
  if (only === undefined) await runSpeed();
  if (only !== 'checks') await runJest(jestArgs);
});

async function runChecks() {
  const times = [];
  for (const { title, script, args = [] } of checks) {
    heading(title);
    const startedAtMs = performance.now();
    const code = await runScript(script, args);
    if (code !== 0) throw new Problem(`${title}: failed with exit code ${code}.`, code);
    times.push([title, performance.now() - startedAtMs]);
  }
  heading('Checks passed');
  for (const [title, ms] of times)
    console.log(`${title.padEnd(16)} ${(ms / 1_000).toFixed(1).padStart(6)} s`);
}

async function runSpeed() {
  heading('Speed');
  const code = await runScript('bench', ['--', ...SPEED, ...SPEED_WORK]);
  if (code !== 0) throw new Problem('Something is far slower than it was.', code);
}

/** Jest's own summary is the last thing printed, so nothing may follow it. */
async function runJest(args) {
  heading('Tests');
  const { binary, version } = await ensureRedis();
  console.log(`With ${version} (${binary})\n`);
  process.exitCode = await runScript('jest', ['--', '--maxWorkers=2', ...args]);
}

/** Runs a script of package.json, where each command is written once. */
function runScript(script, args) {
  const npm = process.env.npm_execpath;
  const words = ['run', '--silent', script, ...args];
  return npm ? runCommand(process.execPath, [npm, ...words]) : runCommand('npm', words);
}

function heading(title) {
  console.log(`\n== ${title} ${'='.repeat(Math.max(0, 70 - title.length))}`);
}
