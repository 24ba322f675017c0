#!/usr/bin/env node
// Writes the generated files of the repository; with --check, says which are stale instead (npm test does).
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '@swc/core';

const REDIS = 'libs/queue/src/redis';
const { QUEUE_KEYS, REGISTRY, REGISTRY_KEYS, GLOBAL_KEYS } = await importTypeScript(`${REDIS}/keys.ts`);
const { LIMITS } = await importTypeScript('libs/queue/src/core/limits.ts');

const generated = {
  [`${REDIS}/scripts.generated.ts`]: renderScripts(),
  'docs/keyspace.md': renderKeyspace(readFileSync('docs/keyspace.md', 'utf8')),
};

const check = process.argv.includes('--check');
let stale = 0;
for (const [file, text] of Object.entries(generated)) {
  let present;
  try {
    present = readFileSync(file, 'utf8');
  } catch {
    present = undefined;
  }
  if (present === text) continue;
  if (check) {
    stale += 1;
    console.error(`${file} is stale: run \`npm run generate\` and commit it.`);
  } else {
    writeFileSync(file, text);
    console.log(`wrote ${file}`);
  }
}
process.exit(stale ? 1 : 0);

/** A module that imports nothing, straight from its source: this runs before any build. */
async function importTypeScript(file) {
  const { code } = transformSync(readFileSync(file, 'utf8'), {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
    module: { type: 'es6' },
  });
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

function renderScripts() {
  const folder = `${REDIS}/lua`;
  const names = readdirSync(folder).filter((file) => file.endsWith('.lua'));
  const entries = names.sort().map((file) => renderScript(folder, file));
  return `// Written by \`npm run generate\` from lua/*.lua. Do not edit.

export interface Script<Arg extends string> {
  readonly name: string;
  /** Named arguments in the order in which the script reads them. */
  readonly args: readonly Arg[];
  readonly sha1: string;
  /** Its helpers, then \`main\`, which is called by the last line. */
  readonly text: string;
}

${entries.join('\n\n')}
`;
}

function renderScript(folder, file) {
  const name = file.replace(/\.lua$/, '');
  const { header, body } = split(readFileSync(join(folder, file), 'utf8'));
  const includes = words(header, 'include').map(
    (include) => split(readFileSync(join(folder, 'include', `${include}.lua`), 'utf8')).body,
  );
  const args = header.filter(([word]) => word === 'arg').map(([, rest]) => rest.split(/\s+/)[0]);
  const source = withoutComments([...includes, 'main:', body].join('\n'));
  const code = withoutUnused(source).replace(/\blimits\.(\w+)/g, (_, limit) => {
    if (LIMITS[limit] === undefined)
      throw new Error(`${file} uses limits.${limit}, which limits.ts does not know`);
    return Array.isArray(LIMITS[limit]) ? `{ ${LIMITS[limit].join(', ')} }` : LIMITS[limit];
  });
  const keyTable = { ...QUEUE_KEYS, ...REGISTRY_KEYS };
  const used = [...new Set([...code.matchAll(/\bkeys\.(\w+)/g)].map((match) => match[1]))].sort();
  for (const key of used) {
    if (!keyTable[key]) throw new Error(`${file} uses keys.${key}, which keys.ts does not know`);
  }
  const flags = words(header, 'flags').join(',');
  const [helpers, main] = numbersAsText(withoutIndents(code)).split('main:\n');
  // What includes say knows nothing of one call, so that a function of Redis can keep it (lessons.ts).
  const text = [
    `#!lua${flags && ` flags=${flags}`}`,
    `${helpers}local function main(KEYS, ARGV)`,
    `local root = KEYS[1]`,
    `local keys = { ${used.map((key) => `${key} = root .. ':${keyTable[key].suffix}'`).join(', ')} }`,
    ...(args.length ? [`local ${args.join(', ')} = ${args.map((_, i) => `ARGV[${i + 1}]`).join(', ')}`] : []),
    `local first_each = ${args.length + 1}`,
    `${main}end`,
    'return main(KEYS, ARGV)\n',
  ].join('\n');
  const sha1 = createHash('sha1').update(text).digest('hex');
  const type = args.length ? args.map((arg) => `'${arg}'`).join(' | ') : 'never';
  return `export const ${camel(name)}Script: Script<${type}> = {
  name: '${name}',
  args: ${JSON.stringify(args)},
  sha1: '${sha1}',
  text: ${JSON.stringify(text)},
};`;
}

/** The `--!` lines as [word, rest], and what follows them. */
function split(source) {
  const lines = source.split('\n');
  const header = lines
    .filter((line) => line.startsWith('--! '))
    .map((line) =>
      line
        .slice(4)
        .match(/^(\S+)\s*(.*)$/)
        .slice(1),
    );
  return { header, body: lines.filter((line) => !line.startsWith('--!')).join('\n') };
}

function words(header, word) {
  const line = header.find(([first]) => first === word);
  return line ? line[1].split(/\s+/).filter(Boolean) : [];
}

/**
 * Those a script does not use would be kept for nothing, and where functions are refused made anew by each call, at 0.15 us.
 *
 * @param {string} code @returns {string}
 */
function withoutUnused(code) {
  const functions = [...code.matchAll(/^local function (\w+)\b.*?^end$/gms)];
  const unused = functions.find(([, name]) => code.match(new RegExp(`\\b${name}\\b`, 'g')).length === 1);
  return unused ? withoutUnused(code.replace(unused[0], '')) : code;
}

/** A number that a command is given is formatted anew each time, at 0.25 us: those that never change are given as text. */
function numbersAsText(code) {
  const call = /redis\.call\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)/g;
  return code.replace(call, (text) => text.replace(/(?<=, )-?\d+(?=[,)])/g, "'$&'"));
}

/** They would be kept by Redis for nothing, and a function that only a comment names is not used: so first of all. */
function withoutComments(code) {
  return code.replace(/^ *--.*\n/gm, '');
}

/** They too would be sent to Redis and kept there for nothing. */
function withoutIndents(code) {
  return code.replace(/^\s+/gm, '');
}

function camel(name) {
  return name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
}

function renderKeyspace(present) {
  const rows = (table, root) =>
    Object.values(table)
      .map(({ suffix, of, type, holds }) => {
        const rest = of ? `<i>${of}</i>` : '';
        return `| <code>${root}:${suffix}${rest}</code> | ${type} | ${holds.replaceAll('|', '\\|')} |`;
      })
      .join('\n');
  const table = (title, body) => `| ${title} | type | holds |\n|---|---|---|\n${body}`;
  const between = (text, name, content) => {
    const [open, close] = [`<!-- generated: ${name} -->`, `<!-- /generated: ${name} -->`];
    const start = text.indexOf(open);
    const end = text.indexOf(close);
    if (start < 0 || end < start) throw new Error(`docs/keyspace.md has no place marked ${open}`);
    return `${text.slice(0, start + open.length)}\n\n${content}\n\n${text.slice(end)}`;
  };
  const queue = table('key of a queue', rows(QUEUE_KEYS, '…'));
  const global = table('key outside the queues', rows(GLOBAL_KEYS, 'fairlane'));
  const registry = table('key of the workers', rows(REGISTRY_KEYS, `fairlane:{${REGISTRY}}`));
  const withQueue = between(present, 'queue keys', queue);
  return between(between(withQueue, 'registry keys', registry), 'global keys', global);
}
