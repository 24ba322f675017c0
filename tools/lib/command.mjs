import { spawn } from 'node:child_process';
import { root } from './root.mjs';

/**
 * Runs a program in the foreground, with this process' input and output, and gives its exit code (128 + n when signal n
 * ended it, as shells do). SIGTERM and SIGHUP are passed on meanwhile; SIGINT reaches both by the terminal.
 *
 * @param {string} file @param {string[]} args @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>}
 */
export function runCommand(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: 'inherit', ...options });
    const passOn = (signal) => child.kill(signal);
    const ignore = () => {};
    process.on('SIGTERM', passOn).on('SIGHUP', passOn).on('SIGINT', ignore);
    const settle = (finish) => (value, signal) => {
      process.off('SIGTERM', passOn).off('SIGHUP', passOn).off('SIGINT', ignore);
      finish(value ?? 128 + (signalNumbers[signal] ?? 0));
    };
    child.once('error', settle(reject));
    child.once('exit', settle(resolve));
  });
}

/** Runs a program quietly and gives its output, or undefined when it is missing or fails. */
export function outputOf(file, args) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code === 0 ? text : undefined));
  });
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
