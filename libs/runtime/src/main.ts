import { ConfigError } from './config/config-error.js';
import { createLogger } from './log.js';

/** Exit codes of a process that could not start; 78 is EX_CONFIG of sysexits.h: restarting will not help. */
export const exitCodes = { failed: 1, config: 78 } as const;

/** The parts of `process` that are used, so that tests can stand in for them. */
export interface MainProcess {
  readonly stderr: { write(text: string): unknown };
  readonly stdout: { write(text: string): unknown };
  exit(code: number): void;
}

/**
 * Runs the start of a process: `await main('worker', async () => { … })`. A `ConfigError` is for the operator and goes to
 * standard error as plain text; anything else is a fault, goes to the log with its stack, and exits with 1.
 */
export async function main(
  name: string,
  start: () => Promise<void>,
  target: MainProcess = process,
): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (error instanceof ConfigError) {
      target.stderr.write(`${name}: ${error.message}\n`);
      target.exit(exitCodes.config);
      return;
    }
    createLogger({ name, destination: { write: (line) => void target.stdout.write(line) } }).fatal(
      { err: error },
      'could not start',
    );
    target.exit(exitCodes.failed);
  }
}
