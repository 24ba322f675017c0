import type { Logger } from './log.js';

/** One thing to stop. Steps run one after the other, in the order given. */
export interface ShutdownStep {
  readonly name: string;
  /** @param exitCode 1 when the process ends because of an error nobody caught */
  run(exitCode: 0 | 1): void | Promise<void>;
}

export interface ShutdownOptions {
  readonly log: Logger;
  /** How long all steps together may take before the process exits anyway, with code 1. Default: 30000 ms. */
  readonly deadlineMs?: number;
  /** Called when a second signal arrives while steps still run: hurry up. */
  readonly onSecondSignal?: () => void | Promise<void>;
  /** What signals come from and what exits. Default: `process`. */
  readonly process?: ShutdownProcess;
}

/** The part of `process` that is used, so that tests can stand in for it. */
export interface ShutdownProcess {
  on(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
}

export interface Shutdown {
  /** Starts the shutdown without a signal; `reason` is logged. Later calls change nothing but a 0 into a 1. */
  begin(reason: string, exitCode?: 0 | 1): Promise<0 | 1>;
  /** Resolves with the exit code when all steps are done, just before the process exits. */
  readonly done: Promise<0 | 1>;
  /** Whether a shutdown has begun: readiness should then say no. */
  readonly begun: boolean;
}

/**
 * Makes SIGTERM and SIGINT (or the end of a parent that holds a channel to this process) run `steps` once and then exit
 * with 0, or with 1 when a step failed or time ran out. An
 * uncaught exception or unhandled rejection is logged as fatal and leads to the same orderly stop, with 1: what the
 * process still holds should go back where it came from even then.
 */
export function onShutdown(steps: readonly ShutdownStep[], options: ShutdownOptions): Shutdown {
  const { log, deadlineMs = 30_000, onSecondSignal } = options;
  const target: ShutdownProcess = options.process ?? process;
  let exitCode: 0 | 1 = 0;
  let begun = false;
  let finish!: (code: 0 | 1) => void;
  const done = new Promise<0 | 1>((resolve) => (finish = resolve));

  const end = (): void => {
    finish(exitCode);
    target.exit(exitCode);
  };

  const runSteps = async (): Promise<void> => {
    const timer = setTimeout(() => {
      exitCode = 1;
      log.error({ deadlineMs }, 'shutdown took too long');
      end();
    }, deadlineMs);
    for (const step of steps) {
      log.info({ step: step.name }, 'stopping');
      try {
        await step.run(exitCode);
        log.info({ step: step.name }, 'stopped');
      } catch (error) {
        exitCode = 1;
        log.error({ step: step.name, err: error }, 'could not stop');
      }
    }
    clearTimeout(timer);
    log.info({ exitCode }, 'shutdown complete');
    end();
  };

  const begin = (reason: string, code: 0 | 1 = 0): Promise<0 | 1> => {
    if (code === 1) exitCode = 1;
    if (!begun) {
      begun = true;
      log.info({ reason }, 'shutdown begins');
      void runSteps();
    }
    return done;
  };

  const onSignal = (signal: string): void => {
    if (!begun) return void begin(signal);
    log.warn({ signal }, 'second signal');
    // Wrapped, so that a hook that throws at once is treated like one that rejects.
    (async () => onSecondSignal?.())().catch((error: unknown) =>
      log.error({ err: error }, 'could not hurry up'),
    );
  };

  const onCrash = (kind: string) => (error: unknown) => {
    log.fatal({ err: error }, kind);
    void begin(kind, 1);
  };

  target.on('SIGTERM', () => onSignal('SIGTERM'));
  target.on('SIGINT', () => onSignal('SIGINT'));
  // Only a process started with a channel to its parent gets this: the parent is gone and can send no signal any more.
  target.on('disconnect', () => void begin('parent process is gone'));
  target.on('uncaughtException', onCrash('uncaught exception'));
  target.on('unhandledRejection', onCrash('unhandled rejection'));
  return {
    begin,
    done,
    get begun() {
      return begun;
    },
  };
}
