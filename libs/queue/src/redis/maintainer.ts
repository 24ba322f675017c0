import type { QueueError } from '../core/errors.js';
import { RETENTION } from '../core/limits.js';
import { checkName } from '../core/names.js';
import type { ChoreResult, Maintainer } from '../core/ports/maintainer.js';
import { type QueueName, TERMINAL_STATES } from '../core/task.js';
import type { Client } from './connection.js';
import { globalKey } from './keys.js';
import type { ScriptRunner } from './script-runner.js';
import { promoteScript, pruneScript, reapScript } from './scripts.generated.js';

export class RedisMaintainer implements Maintainer {
  /**
   * When this process last reaped each queue, by its monotonic clock. A sweep over thousands of queues may take longer
   * than a gap; measured so, it is none.
   */
  private readonly reapedAt = new Map<QueueName, number>();

  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly prefix: string,
  ) {
    // Redis was away, so that nobody could extend: then the time between is a gap.
    client.on('close', () => this.reapedAt.clear());
  }

  async promote(queue: QueueName): Promise<ChoreResult> {
    checkName('queue', queue, '/queue');
    return decodeResult(await this.scripts.run(promoteScript, queue, {}));
  }

  async reap(queue: QueueName): Promise<ChoreResult> {
    checkName('queue', queue, '/queue');
    const now = performance.now();
    const reply = await this.scripts.run(reapScript, queue, {
      between_ms: Math.round(now - (this.reapedAt.get(queue) ?? now)),
    });
    this.reapedAt.set(queue, now);
    return decodeResult(reply);
  }

  async prune(queue: QueueName): Promise<ChoreResult> {
    checkName('queue', queue, '/queue');
    const each = TERMINAL_STATES.flatMap((state) => {
      const { ageMsMax, tasksMax, bytesMax } = RETENTION[state];
      return [state, ageMsMax, tasksMax, bytesMax];
    });
    return decodeResult(await this.scripts.run(pruneScript, queue, {}, each));
  }

  async electForChores(holder: string, ttlMs: number): Promise<boolean> {
    checkName('workerId', holder, '/holder');
    const key = globalKey(this.prefix, 'chores');
    const elected = this.scripts.patiently(async () => {
      const present = await this.client.set(key, holder, 'PX', ttlMs, 'NX', 'GET');
      if (present === holder) await this.client.pexpire(key, ttlMs);
      return present === null || present === holder;
    });
    return elected.catch((error: QueueError) => {
      // A full store takes no election, and needs its chores most: then everybody does them.
      if (error.kind === 'full') return true;
      throw error;
    });
  }
}

function decodeResult(reply: unknown): ChoreResult {
  const [count, more, nextInMs] = reply as [number, number, number | '' | undefined];
  const result: ChoreResult = { count, more: more === 1 };
  return typeof nextInMs === 'number' ? { ...result, nextInMs } : result;
}
