import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import {
  backendSettings,
  processSettings,
  redisSettings,
  renderMetricsCatalog,
  renderSettings,
} from '@app/runtime';
import { ALL_CAPABILITIES, CAPABILITIES, createBackend } from '@app/queue';
import { apiSettings } from '../apps/api/src/api.settings.js';
import { workerSettings } from '../apps/worker/src/worker.settings.js';
import { renderPage } from '../bench/lib/page.mjs';
import { renderMessages } from './support/message-reference.js';
import { root } from '../tools/lib/root.mjs';

/** Pages with a part that is written by the code itself. `npm run generate:docs` brings them up to date. */
const GENERATED: Record<string, string> = {
  'docs/configuration.md': renderSettings([
    processSettings,
    backendSettings,
    redisSettings,
    apiSettings,
    workerSettings,
  ]),
  'docs/metrics.md': renderMetricsCatalog(),
  'docs/websocket.md': renderMessages(),
  'docs/backends.md': await renderCapabilities(['redis', 'memory', 'bullmq']),
};

test.each(Object.entries(GENERATED))('%s says what the code does', (file, generated) => {
  const text = readFileSync(join(root, file), 'utf8');
  const fresh = text.replace(/(<!-- generated -->\n)[^]*$/, `$1\n${generated.trim()}\n`);
  if (process.env.UPDATE_DOCS) writeFileSync(join(root, file), fresh);
  else expect(text).toBe(fresh);
  expect(fresh).toContain(generated.trim());
});

test('the page of benchmarks and its charts show the latest results', () => {
  const results = JSON.parse(readFileSync(join(root, 'bench/results/latest.json'), 'utf8')) as object;
  for (const [file, fresh] of Object.entries(renderPage(results))) {
    if (process.env.UPDATE_DOCS) writeFileSync(join(root, file), fresh);
    else expect(readFileSync(join(root, file), 'utf8') === fresh || `${file} is stale`).toBe(true);
  }
});

const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...['libs/queue/README.md', 'examples/README.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

test.each(pages)('the links of %s lead somewhere', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
  const local = links.filter((link) => !/^[a-z]+:/.test(link));
  const broken = local.filter((link) => {
    const [path, anchor] = link.split('#') as [string, string | undefined];
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(root, target))) return true;
    return anchor !== undefined && !anchors(target).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test('the backend that docs/backends.md shows is one that is tested', () => {
  const read = (file: string) => readFileSync(join(root, file), 'utf8');
  const [, page, shown] = /<!-- (\S+\.spec\.ts) -->\n\n```ts\n([^]*?)```/.exec(read('docs/backends.md'))!;
  expect(read(page!).split('// docs\n')[1]).toBe(shown);
});

test('the commands that README and CONTRIBUTING name exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const text =
    readFileSync(join(root, 'README.md'), 'utf8') + readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  const named = [...text.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

/** What each backend says that it can do. */
async function renderCapabilities(names: readonly string[]): Promise<string> {
  const backends = await Promise.all(names.map((name) => createBackend(name, { address: {} })));
  const rows = [...ALL_CAPABILITIES].map((capability) => {
    const marks = backends.map((backend) => (backend.capabilities().has(capability) ? 'yes' : ''));
    return `| \`${capability}\` | ${CAPABILITIES[capability]} | ${marks.join(' | ')} |`;
  });
  const heads = names.map((name) => `\`${name}\``);
  return [
    `| capability | meaning | ${heads.join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(names.length)}`,
    ...rows,
  ].join('\n');
}

function anchors(page: string): string[] {
  const headings = readFileSync(join(root, page), 'utf8').match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
