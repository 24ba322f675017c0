import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { outputOf } from './command.mjs';
import { root } from './root.mjs';

/**
 * @typedef {object} Service a child process in a process group of its own, so that Ctrl-C in the terminal reaches only
 *   its parent, who then stops its children in order
 * @property {string} name
 * @property {number | undefined} pid
 * @property {Promise<{code: number | null, signal: string | null}>} exited resolves when it has ended, never rejects
 * @property {() => boolean} running
 * @property {(signal: NodeJS.Signals) => void} signal does nothing once it has ended
 * @property {(graceMs: number) => Promise<void>} stop SIGTERM, then wait; SIGKILL only after `graceMs`
 */

/**
 * Starts a Node program whose lines of output appear here behind `[name]`. It gets a channel to this process, whose
 * closing tells it that this process is gone.
 *
 * @param {string} name @param {string} script path inside the repository @param {NodeJS.ProcessEnv} env
 * @returns {Service}
 */
export function startNodeService(name, script, env) {
  const child = spawn(process.execPath, ['--enable-source-maps', script], {
    cwd: root,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    createInterface({ input: from }).on('line', (line) => to.write(`[${name}] ${line}\n`));
  }
  return asService(name, child);
}

/** Wraps a spawned child. @param {string} name @param {import('node:child_process').ChildProcess} child @returns {Service} */
export function asService(name, child) {
  const exited = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: 127, signal: null }));
  });
  const running = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const signal = (which) => void (running() && child.kill(which));
  return {
    name,
    pid: child.pid,
    exited,
    running,
    signal,
    stop: async (graceMs) => {
      signal('SIGTERM');
      const timer = setTimeout(() => signal('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
  };
}

/**
 * Says which process has a number now, so that a number written down earlier can be told from a later process that got
 * the same one. Undefined when there is none.
 */
export async function processIdentity(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === 'ESRCH') return undefined;
  }
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command may hold blanks and parentheses; fields are counted from after it. Field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie only waits to be collected.
    return fields[0] === 'Z' ? undefined : `start ${fields[19]}`;
  } catch {
    return (await outputOf('ps', ['-o', 'lstart=', '-p', String(pid)]))?.trim() ?? 'unknown';
  }
}
