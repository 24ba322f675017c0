import { parseArgs } from 'node:util';
import { Problem } from '../lib/problem.mjs';

export const HELP = `npm run simulate -- [options]

Starts workers and a submitter against the API at FAIRLANE_URL (http://127.0.0.1:3000), with the key FAIRLANE_API_KEY where
there is one, and prints each second what happens. Ctrl-C ends the submissions, and the run once all is done.

  --workers N      how many workers (20)
  --sockets N      so many of them on WebSockets, the others over HTTP (half of them)
  --machines N     on so many machines, which is a label of theirs (4)
  --gpus N         with so many GPUs each, another label (2)
  --slots N        tasks that a worker executes at a time (4)
  --rate N         tasks submitted per second (100)
  --tasks N        so many tasks in all (no end)
  --seconds N      submit for so long (no end)
  --drain N        then work on for so many seconds at most (30)
  --types LIST     name=time/failures,…: what tasks take, give or take a half, and how many of a hundred attempts fail
                   (resize=20ms,report=50ms/5,train=200ms/20)
  --tenants N      tenants that submit, in turn (10)
  --queue NAME     (simulation)`;

const COUNTS = {
  workers: { default: 20, min: 0, max: 10_000 },
  sockets: { min: 0, max: 10_000 },
  machines: { default: 4, min: 1, max: 10_000 },
  gpus: { default: 2, min: 1, max: 1_000 },
  slots: { default: 4, min: 1, max: 100 },
  rate: { default: 100, min: 0, max: 100_000, fractions: true },
  tasks: { default: Infinity, min: 0, max: 1e9 },
  seconds: { default: Infinity, min: 0, max: 1e9, fractions: true },
  drain: { default: 30, min: 0, max: 1e6, fractions: true },
  tenants: { default: 10, min: 1, max: 1_000_000 },
};

/** @param {string[]} args @throws Problem that says which option is wrong */
export function parseOptions(args) {
  const texts = parse(args);
  const options = {
    help: texts.help,
    queue: parseQueue(texts.queue),
    types: parseTypes(texts.types),
    url: parseUrl(process.env.FAIRLANE_URL ?? 'http://127.0.0.1:3000'),
    apiKey: process.env.FAIRLANE_API_KEY,
  };
  for (const [name, rule] of Object.entries(COUNTS)) options[name] = parseCount(name, texts[name], rule);
  options.sockets ??= Math.floor(options.workers / 2);
  if (options.sockets > options.workers)
    throw new Problem(`--sockets must not be more than the ${options.workers} --workers.`, 2);
  return options;
}

function parse(args) {
  const counts = Object.keys(COUNTS).map((name) => [name, { type: 'string' }]);
  try {
    return parseArgs({
      args,
      options: {
        ...Object.fromEntries(counts),
        help: { type: 'boolean', default: false },
        queue: { type: 'string', default: 'simulation' },
        types: { type: 'string', default: 'resize=20ms,report=50ms/5,train=200ms/20' },
      },
    }).values;
  } catch (error) {
    throw new Problem(`${error.message}\n\n${HELP}`, 2);
  }
}

function parseCount(name, text, { default: otherwise, min, max, fractions = false }) {
  if (text === undefined) return otherwise;
  const count = Number(text);
  const isNumber = (fractions ? /^\d+(\.\d+)?$/ : /^\d+$/).test(text);
  if (isNumber && count >= min && count <= max) return count;
  throw new Problem(
    `--${name} must be a ${fractions ? '' : 'whole '}number from ${min} to ${max}, not ${text}.`,
    2,
  );
}

function parseQueue(text) {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) return text;
  throw new Problem(`--queue must be 1 to 64 of A-Z a-z 0-9 . _ -, not ${text}.`, 2);
}

function parseUrl(text) {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text.replace(/\/$/, '');
  throw new Problem(`FAIRLANE_URL must be like http://127.0.0.1:3000, not ${text}.`, 2);
}

/** @returns {Map<string, {ms: number, failures: number}>} failures: the share of attempts that fail */
function parseTypes(text) {
  const types = text.split(',').map((one) => {
    const [, name, amount, unit, failures = '0'] =
      /^([A-Za-z0-9._:/-]{1,64})=(\d+(?:\.\d+)?)(ms|s|m)(?:\/(\d+(?:\.\d+)?))?$/.exec(one) ?? [];
    if (name === undefined || Number(failures) > 100) {
      throw new Problem(`--types must be like resize=20ms,train=1s/20, not ${text}.`, 2);
    }
    return [name, { ms: Number(amount) * UNITS_MS[unit], failures: Number(failures) / 100 }];
  });
  return new Map(types);
}

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000 };
