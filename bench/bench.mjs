#!/usr/bin/env node
// npm run bench: Fairlane and its peers, the same work in one run; README.md has the options.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../tools/lib/root.mjs';
import { judge } from './lib/goals.mjs';
import { busyPercent, describeRun } from './lib/machine.mjs';
import { measureRounds } from './lib/rounds.mjs';
import { printFigures, printGoals } from './lib/print.mjs';
import { scenarios } from './scenarios.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    systems: { type: 'string' },
    rounds: { type: 'string' },
    tasks: { type: 'string' },
    requests: { type: 'string' },
    fsync: { type: 'string', default: 'off' },
    guard: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
    add: { type: 'boolean', default: false },
  },
});
const { only, systems, quick, fsync, guard } = values;
const names = listed('scenario', only, Object.keys(scenarios));
const wanted = listed('system', systems, [
  ...new Set(Object.values(scenarios).flatMap((one) => one.systems)),
]);
const ROUNDS = 3;
const settings = {
  // Of 80,000, half a second's work, much is the compiler's: 125,000 tasks a second became 154,000 with 240,000.
  tasks: Number(values.tasks ?? (quick ? 4_000 : 200_000)),
  requests: Number(values.requests ?? (quick ? 3_000 : 60_000)),
  latencies: quick ? 100 : 2_000,
  fsync,
  quick,
};
const out =
  values.out ??
  join(root, 'bench/results', only || systems || quick || guard ? 'partial.json' : 'latest.json');

const busy = await busyPercent();
console.log(`Before it began, the machine was ${busy} % busy.`);
const run = { ...(await describeRun(busy)), settings };
const figures = values.add ? JSON.parse(await readFile(out, 'utf8')).figures : {};
await mkdir(dirname(out), { recursive: true });
for (const name of names) {
  const scenario = scenarios[name];
  const measured = await measureRounds(
    scenario,
    scenario.systems.filter((one) => wanted.includes(one)),
    { ...settings, rounds: Number(values.rounds ?? (quick ? 1 : (scenario.rounds ?? ROUNDS))) },
  );
  for (const [figure, found] of Object.entries(measured)) figures[figure] = { ...found, commit: run.commit };
  printFigures(measured);
  // Each time, so that what has been measured is there even where the run is broken off.
  await writeFile(out, `${JSON.stringify({ ...run, figures }, undefined, 2)}\n`);
}
const goals = judge(figures, Number(guard ?? 1));
printGoals(goals);
console.log(`\nWritten to ${out}`);
const floors = goals.flatMap(({ bounds }) => bounds).filter(({ kind }) => kind === 'floor');
process.exit(guard !== undefined && floors.some(({ holds }) => !holds) ? 1 : 0);

/** What was asked for by name. */
function listed(kind, text, all) {
  const chosen = text?.split(',') ?? all;
  const unknown = chosen.find((name) => !all.includes(name));
  if (unknown === undefined) return chosen;
  console.error(`There is no ${kind} ${unknown}; there are ${all.join(', ')}.`);
  process.exit(2);
}
