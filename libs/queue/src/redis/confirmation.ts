import { Cluster } from 'ioredis';
import { QueueError } from '../core/errors.js';
import { type Client, reconnectIfSilent } from './connection.js';
import { QUEUE_KEYS } from './keys.js';
import { isCommandTimeout } from './redis-errors.js';

/**
 * How long replicas are given. Below the time for one reply, so that it is this wait that ends, and short enough for a
 * call that has to sit out the round before its own.
 */
const WAIT_MS = 500;
/** Calls confirmed at once; more wait for the next round. */
const ROUND_CALLS_MAX = 100;
/**
 * WAIT covers what its connection wrote last; a call that found everything done (a repeat) wrote nothing, though it
 * relies on what another connection wrote. This write is behind both.
 */
const MARK = "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], '', 'PX', 60000)";

type Command = readonly [name: string, ...args: (string | number)[]];

interface Call {
  root: string;
  command: Command;
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Answers a command once so many replicas have what it wrote: WAIT behind it, in the same write to the same socket, so that
 * no failover can come between the two. One wait at a time serves all calls that came during the one before; else
 * each would block the connection for those behind it, and without replicas the last would wait for ever.
 */
export class Confirmation {
  /** By group; a group is present while a round of it is under way. */
  private readonly waiting = new Map<string, Call[]>();

  /** @param client for nothing else: a wait blocks everything behind it, and leases must be extended in time */
  constructor(
    private readonly client: Client,
    private readonly replicas: number,
  ) {}

  /** @throws QueueError `store-unavailable` where too few replicas answered in time; else what Redis said */
  run(root: string, command: Command): Promise<unknown> {
    // On a cluster WAIT must go where the command goes.
    const group = this.client instanceof Cluster ? root : '';
    return new Promise((resolve, reject) => {
      const call = { root, command, resolve, reject };
      const waiting = this.waiting.get(group);
      if (waiting) {
        waiting.push(call);
        return;
      }
      this.waiting.set(group, [call]);
      void this.rounds(group);
    });
  }

  private async rounds(group: string): Promise<void> {
    const waiting = this.waiting.get(group)!;
    while (waiting.length > 0) {
      const calls = waiting.splice(0, ROUND_CALLS_MAX);
      await this.round(calls).catch((error: unknown) => {
        for (const { reject } of calls) reject(error);
      });
    }
    this.waiting.delete(group);
  }

  private async round(calls: readonly Call[]): Promise<void> {
    const pipeline = this.client.pipeline();
    for (const { command } of calls) pipeline.call(...command);
    pipeline.eval(MARK, 1, `${calls[0]!.root}:${QUEUE_KEYS.confirmed.suffix}`);
    pipeline.call('WAIT', this.replicas, WAIT_MS);
    const results = (await pipeline.exec())!;
    const [[markError], [waitError, confirmed]] = results.slice(calls.length) as [
      [unknown],
      [unknown, number],
    ];
    reconnectIfSilent(this.client, results.find(([error]) => isCommandTimeout(error))?.[0]);
    calls.forEach((call, i) => {
      const [error, reply] = results[i]!;
      const fault = error ?? markError ?? waitError;
      if (fault) call.reject(fault);
      else if (confirmed < this.replicas) call.reject(unconfirmed(confirmed, this.replicas));
      else call.resolve(reply);
    });
  }
}

function unconfirmed(confirmed: number, replicas: number): QueueError {
  return new QueueError('store-unavailable', {
    message:
      `Only ${confirmed} of the ${replicas} replicas that durability strict asks for confirmed in time. ` +
      'The request may have taken effect; repeat it with the same identity.',
  });
}
