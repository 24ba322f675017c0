import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ensurePrograms } from '../../tools/lib/programs.mjs';
import { root } from '../../tools/lib/root.mjs';
import { isThere } from '../support/examples.js';
import { killLeftovers, startApi, startWorker } from '../support/processes.js';
import { ownRedis } from '../support/redis.js';

/*
 * What the pages tell their readers to paste is pasted here.
 */

let redis: Awaited<ReturnType<typeof ownRedis>>;
let url: string;
let dir: string;

beforeAll(async () => {
  await ensurePrograms(['bash', 'curl', 'jq', 'python3']);
  redis = await ownRedis();
  ({ url } = await startApi(redis.url));
  await startWorker(redis.url);
  dir = await mkdtemp(join(tmpdir(), 'fairlane-snippets-'));
}, 300_000);
afterAll(async () => {
  await killLeftovers();
  await redis?.cleanup();
  await rm(dir, { recursive: true, force: true });
});

test('the first command of README.md is answered with what it sent', async () => {
  const [first] = await snippets('README.md', 'sh');
  expect(JSON.parse(await bash(first!))).toMatchObject({
    state: 'completed',
    result: { hello: 'world' },
  });
});

test('README.md posts a task from the shell', async () => {
  const [, second] = await snippets('README.md', 'sh');
  expect(JSON.parse(await bash(second!))).toMatchObject({ state: 'scheduled', tenant: 'acme' });
});

test('README.md posts a task from Python and prints its result', async () => {
  const [python] = await snippets('README.md', 'python');
  expect(await run('python3', '-c', python!)).toBe("completed {'n': 1}\n");
});

test('README.md posts tasks from JavaScript', async () => {
  const [js] = await snippets('README.md', 'js');
  const file = join(dir, 'snippet.mjs');
  await writeFile(file, `${js}\nconsole.log(items.length, items[0].status);`);
  expect(await run(process.execPath, file)).toBe('3 accepted\n');
});

// eslint-disable-next-line jest/no-disabled-tests
(isThere('go') ? test : test.skip)(
  'README.md posts a task from Go',
  async () => {
    const [go] = await snippets('README.md', 'go');
    const file = join(dir, 'snippet.go');
    const imports = ['fmt', 'net/http', 'strings'].map((name) => `import "${name}"\n`).join('');
    await writeFile(
      file,
      `package main\n${imports}func main() {\n${go}\nfmt.Println(resp.StatusCode, err)\n}\n`,
    );
    expect(await run('go', 'run', file)).toBe('202 <nil>\n');
  },
  60_000,
);

test('what the protocol page does by hand completes a task', async () => {
  const [session] = await snippets('docs/worker-protocol.md', 'sh');
  const [submitted, beat, settled] = (await bash(session!)).split(/(?<=\})(?=\{)/).map(parse);
  expect(submitted).toMatchObject({ state: 'pending', type: 'text.count' });
  expect(beat).toMatchObject({ cancelRequested: false });
  expect(settled).toEqual({ id: submitted!.id, state: 'completed' });
});

/** The blocks of a language that speak to the API, with its real address. */
async function snippets(page: string, language: string): Promise<string[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))]
    .map(([, code]) => code!)
    .filter((code) => code.includes('http://127.0.0.1:3000'))
    .map((code) => code.replaceAll('http://127.0.0.1:3000', url));
}

function bash(code: string): Promise<string> {
  return run('bash', '-c', code);
}

async function run(file: string, ...args: string[]): Promise<string> {
  return (await promisify(execFile)(file, args)).stdout;
}

function parse(text: string): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}
