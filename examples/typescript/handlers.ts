// What the workers execute, and how attempts end.
import { setTimeout as delay } from 'node:timers/promises';

/** Thrown where trying again would not help. */
export class Permanent extends Error {
  override name = 'permanent';
}

type Handler = (payload: never, attempt: Attempt) => unknown;

export const handlers: Record<string, Handler> = {
  'text.count': ({ text }: { text: string }) => ({ words: text.split(/\s+/).filter(Boolean).length }),
  sleep: ({ ms }: { ms: number }, attempt) => {
    attempt.log(`sleeping for ${ms} ms`);
    attempt.progress = { percent: 0 };
    return delay(ms, undefined, { signal: attempt.signal });
  },
  flaky: ({ failures }: { failures: number }, { task }) => {
    if (task.failures < failures) throw new Error('not yet');
    return { attempt: task.attempt };
  },
};

export interface Task {
  id: string;
  type: string;
  payload?: unknown;
  attempt: number;
  failures: number;
  timeoutMs?: number;
  leaseToken: string;
}

/** A leased task, until it is settled. */
export class Attempt {
  readonly task: Task;
  progress: unknown;
  readonly #stop = new AbortController();
  #lines: string[] = [];

  constructor(task: Task) {
    this.task = task;
  }

  /** Aborts when the handler must not go on. Its reason: lease-lost, cancelled or timeout. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  stop(reason: string): void {
    this.#stop.abort(reason);
  }

  log(line: string): void {
    this.#lines.push(line);
  }

  /** What every message about the attempt says, with the lines since the last one. */
  message(fields: object = {}) {
    const logs = this.#lines.splice(0);
    return { id: this.task.id, leaseToken: this.task.leaseToken, logs, ...fields };
  }
}

/** How an attempt ended, for its settlement. Nothing where its lease is lost: there is nothing to settle. */
export async function execute(attempt: Attempt): Promise<object | undefined> {
  const { type, payload, timeoutMs = 86_400_000 } = attempt.task;
  const timer = setTimeout(() => attempt.stop('timeout'), timeoutMs);
  let end: object;
  try {
    const handler = handlers[type];
    if (!handler) throw new Permanent(`nobody here executes ${type}`);
    end = { action: 'complete', result: await handler(payload as never, attempt) };
  } catch (error) {
    end = failure(error as Error, attempt.signal.reason as string | undefined);
  }
  clearTimeout(timer);
  return attempt.signal.reason === 'lease-lost' ? undefined : end;
}

export function failure({ name, message }: Error, reason?: string) {
  return { action: 'fail', error: { code: reason ?? name, message }, retryable: name !== 'permanent' };
}
