import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import type { Clock } from '../core/clock.js';
import type { QueueName } from '../core/task.js';
import { type Client, reconnectIfSilent } from './connection.js';
import { queueRoot } from './keys.js';
import { isNoScript, isRetriable, toQueueError } from './redis-errors.js';
import type { Script } from './scripts.generated.js';

type Value = string | number;

/**
 * Runs scripts: by digest, by text where Redis has forgotten it, and again with the same arguments while a
 * broken connection or a failover passes, for about a second. That is safe because every script can be repeated.
 */
export class ScriptRunner {
  private readonly patience = retry(handleWhen(isRetriable), {
    maxAttempts: 6,
    backoff: new ExponentialBackoff({ initialDelay: 20, maxDelay: 400 }),
  });

  constructor(
    private readonly client: Client,
    private readonly prefix: string,
    private readonly clock: Clock | undefined,
  ) {}

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
    const values: Value[] = [queueRoot(this.prefix, queue)];
    for (const name of script.args) {
      values.push(name === 'now' ? (this.clock?.now() ?? '') : (args as Record<string, Value>)[name]!);
    }
    for (const value of each) values.push(value);
    return this.patiently(() => this.evaluate(script, values));
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

  private async evaluate(script: Script<string>, values: Value[]): Promise<unknown> {
    try {
      return await this.client.evalsha(script.sha1, 1, ...values);
    } catch (error) {
      if (!isNoScript(error)) throw error;
      return this.client.eval(script.text, 1, ...values);
    }
  }
}
