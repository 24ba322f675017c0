#!/usr/bin/env node
// Measures that nothing gets slower or less fair with size, and that limits are kept exactly.
//
//   npm run bench:scale -- [--only waiting,tenants,turns,shares,rate,lone] [--quick]
//
// Prints a table per scenario, and PASS or FAIL where there is a bound; ends with code 1 where one is broken. `--quick`:
// smaller sizes, to try it out. Each scenario starts Redis servers of its own; the largest holds 1,000,000 tasks and
// needs about 1 GB. On a machine that is used by others too only the medians mean anything.
import { parseArgs } from 'node:util';
import { lone } from './scale/lone.mjs';
import { rate } from './scale/rate.mjs';
import { Report } from './scale/report.mjs';
import { shares } from './scale/shares.mjs';
import { tenants } from './scale/tenants.mjs';
import { turns } from './scale/turns.mjs';
import { waiting } from './scale/waiting.mjs';
import { ensureRedis } from '../tools/lib/redis.mjs';

const scenarios = { waiting, tenants, turns, shares, rate, lone };

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(scenarios).join(',') },
    quick: { type: 'boolean', default: false },
  },
});
const names = options.only.split(',');
const unknown = names.find((name) => !(name in scenarios));
if (unknown !== undefined) {
  console.error(`There is no scenario ${unknown}; there are ${Object.keys(scenarios).join(', ')}.`);
  process.exit(2);
}

const report = new Report();
const { version } = await ensureRedis();
report.note(`${version}, appendfsync no, Node ${process.version}${options.quick ? ', quick' : ''}`);
for (const name of names) await scenarios[name](report, options);
report.note(report.failed === 0 ? '\nEvery bound holds.' : `\nBounds broken: ${report.failed}.`);
process.exit(report.failed === 0 ? 0 : 1);
