import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputOf } from '../../tools/lib/command.mjs';
import { ensureProgram } from './programs.mjs';

/** Of the requests, so many are sent before, for compilers. */
const WARM_UP = 0.25;

/**
 * Sends so many requests, one at a time on each connection, and answers how many were answered in a second. By h2load: a
 * load generator in JavaScript takes longer for a request than some of the services that are measured.
 *
 * @param {object} load
 * @param {string | string[]} load.url where there are several, they take turns
 * @param {string} [load.body] makes it a POST
 * @param {string[]} [load.headers] as `name: value`
 * @param {number} load.connections @param {number} load.requests
 * @throws Error where an answer was anything but 2xx
 */
export async function httpLoad({ url, body, headers = [], connections, requests }) {
  await ensureProgram('h2load');
  const dir = await mkdtemp(join(tmpdir(), 'fairlane-load-'));
  try {
    const [bodyFile, urlFile] = [join(dir, 'body'), join(dir, 'urls')];
    await writeFile(urlFile, [url].flat().join('\n'));
    if (body !== undefined) await writeFile(bodyFile, body);
    const args = [
      ...['--h1', '--threads=1', '--max-concurrent-streams=1', `--clients=${connections}`],
      `--input-file=${urlFile}`,
      ...(body === undefined ? [] : [`--data=${bodyFile}`, '--header=content-type: application/json']),
      ...headers.map((header) => `--header=${header}`),
    ];
    await send(args, warmUp(connections, requests));
    return await send(args, requests);
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** How many requests all of that is. */
export function requestsSent(connections, requests) {
  return warmUp(connections, requests) + requests;
}

/** Each connection needs one. */
function warmUp(connections, requests) {
  return Math.max(connections, Math.ceil(requests * WARM_UP));
}

async function send(args, requests) {
  const output = (await outputOf('h2load', [...args, `--requests=${requests}`])) ?? 'h2load failed';
  const [, perSecond] = /finished in \S+, (\S+) req\/s/.exec(output) ?? [];
  if (!output.includes(`status codes: ${requests} 2xx`))
    throw new Error(`Not all was answered 2xx:\n${output}`);
  return Number(perSecond);
}
