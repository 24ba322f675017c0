import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../tools/lib/ports.mjs';
import { root } from '../../tools/lib/root.mjs';

/** One of the two apps as it runs in production: built, in a process of its own. */
export interface AppProcess {
  readonly url: string;
  readonly pid: number;
  /** Everything it printed so far. */
  readonly lines: readonly string[];
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Resolves with the first line, past or future, that matches. */
  line(pattern: RegExp): Promise<string>;
}

const running = new Set<ChildProcess>();

export async function startApi(
  redisUrl: string,
  env: NodeJS.ProcessEnv = {},
  port?: number,
): Promise<AppProcess> {
  const free = port ?? (await freePort());
  return startApp('api', `http://127.0.0.1:${free}`, { REDIS_URL: redisUrl, PORT: String(free), ...env });
}

export async function startWorker(redisUrl: string, env: NodeJS.ProcessEnv = {}): Promise<AppProcess> {
  const free = await freePort();
  return startApp('worker', `http://127.0.0.1:${free}`, {
    REDIS_URL: redisUrl,
    WORKER_PORT: String(free),
    ...env,
  });
}

/** For afterEach: no process outlives its test, whatever happened to the test. */
export async function killLeftovers(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      child.kill('SIGKILL');
      child.kill('SIGCONT');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }),
  );
}

async function startApp(app: 'api' | 'worker', url: string, env: NodeJS.ProcessEnv): Promise<AppProcess> {
  const child = spawn(process.execPath, ['--enable-source-maps', `dist/apps/${app}/src/main.js`], {
    cwd: root,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream! }).on('line', (line) => {
      lines.push(line);
      for (const listener of listeners) listener(line);
    });
  }
  const appProcess: AppProcess = {
    url,
    pid: child.pid!,
    lines,
    signal: (signal) => void child.kill(signal),
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
    line: (pattern) =>
      new Promise((resolve) => {
        const known = lines.find((line) => pattern.test(line));
        if (known !== undefined) {
          resolve(known);
          return;
        }
        const listener = (line: string) => {
          if (!pattern.test(line)) return;
          listeners.delete(listener);
          resolve(line);
        };
        listeners.add(listener);
      }),
  };
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${app} ended with ${child.exitCode}:\n${lines.join('\n')}`);
    if (await isReady(url)) return appProcess;
    await delay(25);
  }
}

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/health/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}
