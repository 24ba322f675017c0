import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from '@jest/globals';
import { freePort } from '../../tools/lib/ports.mjs';
import { root } from '../../tools/lib/root.mjs';
import { post } from '../support/client.js';

let started: ChildProcess | undefined;
afterEach(() => void started?.kill('SIGKILL'));

test('npm start on memory brings no Redis and no worker, and says how to be one', async () => {
  const port = String(await freePort());
  started = spawn(process.execPath, ['tools/start.mjs'], {
    cwd: root,
    env: { PATH: process.env.PATH, FAIRLANE_BACKEND: 'memory', PORT: port },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  await new Promise<void>((resolve) => {
    createInterface({ input: started!.stdout! }).on('line', (line) => {
      said.push(line);
      if (line.startsWith('Ctrl-C')) resolve();
    });
  });
  expect(said.join('\n')).toMatch(/Worker health none.*\n *Data +in the memory of the API/);
  const answers = [];
  for (const line of said.filter((each) => each.includes('curl'))) {
    const [, address, body] = /POST (\S+) .* -d '(.*)'/.exec(line)!;
    answers.push((await post(address!, JSON.parse(body!) as object)).body);
  }
  expect(answers).toMatchObject([
    { state: 'pending' },
    { items: [{ type: 'demo.echo', payload: { hello: 'world' } }] },
  ]);
  started.kill();
  expect(await once(started, 'exit')).toEqual([0, null]);
}, 60_000);
