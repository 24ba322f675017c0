import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { Redis } from 'ioredis';
import type { Clock } from '../core/clock.js';
import type { QueueName } from '../core/task.js';
import type { Confirmation } from './confirmation.js';
import { type Client, reconnectIfSilent } from './connection.js';
import { queueRoot } from './keys.js';
import { type Call, Lessons } from './lessons.js';
import { isMoved, isRetriable, toQueueError } from './redis-errors.js';
import type { Script } from './scripts.generated.js';

type Value = string | number;
/** A script's call as Redis gets it. */
export type Command = [name: Call[0], script: Call[1], keys: 1, root: string, ...values: Value[]];

/**
 * Writing scripts that durability `strict` does not confirm, since their replies promise nothing that a failover must
 * not undo. All others are confirmed, unless they write nothing.
 */
const UNCONFIRMED: ReadonlySet<string> = new Set([
  // Undone, the tasks are pending again and a settlement with the lost token is refused.
  'lease',
  // Undone, the lease ends earlier, or progress and log lines are gone.
  'extend',
  // Undone, the chore is done again.
  'promote',
  'reap',
  'prune',
  // Undone, the worker registers again with its next sign of life, or is taken to be gone a little later.
  'register',
  'deregister',
]);

/**
 * Runs scripts: after a lesson where Redis does not know them, and again with the same arguments while a
 * broken connection or a failover passes, for about a second. That is safe because every script can be repeated.
 */
export class ScriptRunner {
  private readonly patience = retry(handleWhen(isRetriable), {
    maxAttempts: 6,
    backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 400 }),
  });

  private readonly lessons: Lessons;

  constructor(
    private readonly client: Client,
    private readonly prefix: string,
    private readonly clock: Clock | undefined,
    /** Present with durability `strict`, where there are replicas. */
    private readonly confirmation?: Confirmation,
  ) {
    this.lessons = new Lessons(client);
  }

  /** Whether replies wait for replicas. */
  get confirms(): boolean {
    return this.confirmation !== undefined;
  }

  /**
   * @param args by name; `now` is filled in
   * @param each the values of the batch, flat
   * @throws QueueError
   */
  async run<Arg extends string>(
    script: Script<Arg>,
    queue: QueueName,
    args: Record<Exclude<Arg, 'now'>, Value>,
    each: readonly Value[] = [],
  ): Promise<unknown> {
    const command = this.command(script, queue, args, each);
    return this.patiently(() => this.evaluate(script, command));
  }

  /** What `run` sends. */
  command<Arg extends string>(
    script: Script<Arg>,
    queue: QueueName,
    args: Record<Exclude<Arg, 'now'>, Value>,
    each: readonly Value[] = [],
  ): Command {
    const command: Command = [...this.lessons.callOf(script), 1, queueRoot(this.prefix, queue)];
    for (const name of script.args) {
      command.push(name === 'now' ? (this.clock?.now() ?? '') : (args as Record<string, Value>)[name]!);
    }
    for (const value of each) command.push(value);
    return command;
  }

  /** An ordinary command, under the same rules. It must be repeatable too. */
  async patiently<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command().catch((error: unknown) => {
        reconnectIfSilent(this.client, error);
        if (!isRetriable(error)) throw error;
        return this.patience.execute(command);
      });
    } catch (error) {
      throw toQueueError(error);
    }
  }

  private async evaluate(script: Script<string>, command: Command): Promise<unknown> {
    const confirmation = promises(script) ? this.confirmation : undefined;
    const root = command[3];
    const send = () => {
      // Another call may have learnt since.
      [command[0], command[1]] = this.lessons.callOf(script);
      return confirmation ? confirmation.run(root, command) : this.send(command);
    };
    const sentAtMs = performance.now();
    try {
      return await send().catch(async (error: unknown) => {
        const [name] = command;
        if (!(await this.lessons.mend(error, name, script, root, sentAtMs))) throw error;
        return send();
      });
    } catch (error) {
      // An ordinary command on the same slot: ioredis follows it, and learns the way for the next try.
      if (isMoved(error)) await this.client.exists(root);
      throw error;
    }
  }

  /**
   * On a cluster ioredis would follow ASK. A script must not be run where half of its queue is: it declares one key and
   * finds the others, so that nothing would stop it from making a second queue of that name there. A pipeline is not
   * followed when part of it succeeds, hence the PING.
   */
  private async send(command: readonly [string, ...Value[]]): Promise<unknown> {
    if (this.client instanceof Redis) return this.client.call(...command);
    const [[error, reply]] = (await this.client
      .pipeline()
      .call(...command)
      .call('PING')
      .exec()) as [[Error | null, unknown]];
    if (error) throw error;
    return reply;
  }
}

function promises({ name, text }: Script<string>): boolean {
  return !text.startsWith('#!lua flags=no-writes') && !UNCONFIRMED.has(name);
}
