import { randomBytes } from 'node:crypto';
import { checkExtension, checkLeaseMs, checkLeaseRequest, checkSettlement } from '../core/checks.js';
import { type ErrorCode, QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName, keyOf, taskId } from '../core/names.js';
import type {
  Consumer,
  Extension,
  ExtendOutcome,
  Lease,
  LeasedTask,
  LeaseRequest,
  Settlement,
  SettleOutcome,
} from '../core/ports/consumer.js';
import { DEFAULT_RETRY } from '../core/retry.js';
import { storedError, storedLines } from '../core/report.js';
import type { QueueName, TaskState } from '../core/task.js';
import { tenantsServed } from '../core/tenants-served.js';
import { groupByQueue } from './by-queue.js';
import { Coalescer } from './coalescer.js';
import type { Directory } from './directory.js';
import { decodeLeased, decodeSpec, encodeRetry, SEPARATOR } from './record.js';
import type { ScriptRunner } from './script-runner.js';
import { extendScript, leaseScript, settleScript } from './scripts.generated.js';
import type { WakeSource } from './wake-listener.js';

/** The arguments of settle.lua that ask for no next lease. */
const NO_LEASE = { worker: '', request: '', max: '', lease_ms: '', tenants: '', steal: '' };
/** Values per leased task in the reply of take.lua. */
const TASK_WIDTH = 2;
/** Values of a settlement of which no more is said, as settle.lua is given them. */
const ITEM_WIDTH = 3;
/** What settle.lua says before a code. */
const REFUSED = '- ';

/** Reply of lease.lua, and the end of that of settle.lua. */
type LeaseReply = [more: number, nextDueMs: number | '', deadline: string, ...tasks: string[]];

export class RedisConsumer implements Consumer {
  private readonly settling = new Coalescer<Settlement, SettleOutcome>(
    async (queue, settlements) => (await this.sendSettlements(queue, settlements)).outcomes,
    (settlement) => (settlement.action === 'complete' ? (settlement.result?.length ?? 0) : 0),
  );
  /** Grouped by queue and lease length, which one script call has in common. */
  private readonly extending = new Coalescer<Extension, ExtendOutcome>((group, extensions) => {
    const at = group.lastIndexOf('~');
    return this.sendExtensions(group.slice(0, at), extensions, Number(group.slice(at + 1)));
  });

  constructor(
    private readonly scripts: ScriptRunner,
    private readonly directory: Directory,
    private readonly wake: WakeSource,
    private readonly random: () => number,
  ) {}

  async lease(given: LeaseRequest): Promise<Lease> {
    const request = identified(given);
    const reply = await this.scripts.run(leaseScript, request.queue, leaseArguments(request));
    return decodeLeaseReply(request, reply);
  }

  async waitAndLease(given: LeaseRequest, timeoutMs: number, signal?: AbortSignal): Promise<Lease> {
    const request = identified(given);
    const { queue } = request;
    const command = this.scripts.command(leaseScript, queue, leaseArguments(request));
    const reply = await this.wake.waitAndRun(command, queue, timeoutMs, signal, tenantsServed(request));
    return reply === undefined ? this.lease(request) : decodeLeaseReply(request, reply);
  }

  async settle(
    settlements: readonly Settlement[],
    next?: LeaseRequest,
  ): Promise<{ outcomes: SettleOutcome[]; lease?: Lease }> {
    for (const settlement of settlements) checkSettlement(settlement);
    const request = next && identified(next);
    const long = settlements.length + (request?.max ?? 0) > LIMITS.sliceTasksMax;
    if (request && (long || this.scripts.confirms)) {
      // Together with a settlement that waits for replicas a lease could lapse before anybody hears of it. And a round trip
      // more is little for who settles many, but everybody else would wait for the two as one script.
      const { outcomes } = await this.settle(settlements);
      return { outcomes, lease: await this.lease(request) };
    }
    const groups = groupByQueue(settlements.map(({ id }) => id));
    const outcomes: SettleOutcome[] = Array.from({ length: settlements.length });
    let lease: Lease | undefined;
    const send = async (queue: QueueName, members: number[]) => {
      const batch = members.map((index) => settlements[index]!);
      const fused = request?.queue === queue;
      const reply = fused
        ? await this.sendSettlements(queue, batch, request)
        : { outcomes: await this.settling.add(queue, batch), lease: undefined };
      if (fused) lease = reply.lease;
      reply.outcomes.forEach((outcome, i) => {
        outcomes[members[i]!] = outcome;
      });
    };
    const sends = [...groups].map(([queue, members]) => send(queue, members));
    if (request && !groups.has(request.queue)) sends.push(send(request.queue, []));
    await Promise.all(sends);
    return { outcomes, lease };
  }

  async extend(extensions: readonly Extension[], leaseMs: number): Promise<ExtendOutcome[]> {
    checkLeaseMs(leaseMs);
    for (const extension of extensions) checkExtension(extension);
    const outcomes: ExtendOutcome[] = Array.from({ length: extensions.length });
    await Promise.all(
      [...groupByQueue(extensions.map(({ id }) => id))].map(async ([queue, members]) => {
        const batch = members.map((index) => extensions[index]!);
        const replies = await this.extending.add(`${queue}~${leaseMs}`, batch);
        replies.forEach((reply, i) => {
          outcomes[members[i]!] = reply;
        });
      }),
    );
    return outcomes;
  }

  async waitForWork(
    queues: readonly QueueName[],
    timeoutMs: number,
    signal?: AbortSignal,
    tenants?: readonly string[],
  ): Promise<QueueName | undefined> {
    for (const queue of queues) checkName('queue', queue, '/queue');
    for (const tenant of tenants ?? []) checkName('tenant', tenant, '/tenants');
    return this.wake.wait(queues, timeoutMs, signal, tenants);
  }

  async announceTypes(routes: Readonly<Record<string, QueueName>>): Promise<void> {
    for (const [type, queue] of Object.entries(routes)) {
      checkName('type', type, '/type');
      checkName('queue', queue, '/queue');
    }
    return this.directory.announceTypes(routes);
  }

  private async sendSettlements(queue: QueueName, settlements: readonly Settlement[], request?: Request) {
    const each: (string | number)[] = [];
    let items = 0;
    // The request of the latest item, where another key can be added to that.
    let alike: string | undefined;
    for (const settlement of settlements) {
      const key = keyOf(settlement.id);
      const leased = requestOf(settlement.leaseToken, key);
      const values = this.valuesOf(settlement);
      const plain = values.length === 0;
      if (plain && leased === alike) each[each.length - ITEM_WIDTH] += ` ${key}`;
      else {
        each.push(key, leased, values.length, ...values);
        items += 1;
      }
      alike = plain ? leased : undefined;
    }
    const [, answers, ...lease] = (await this.scripts.run(
      settleScript,
      queue,
      { ...(request ? leaseArguments(request) : NO_LEASE), items },
      each,
    )) as [now: number, answers: string, ...LeaseReply];
    const answerOf = answers.split(SEPARATOR);
    const outcomes = settlements.map(({ id }, i): SettleOutcome => {
      const answer = answerOf[i]!;
      return answer.startsWith(REFUSED)
        ? {
            status: 'refused',
            error: new QueueError(answer.slice(REFUSED.length) as ErrorCode, { taskId: id }),
          }
        : { status: 'settled', state: answer as TaskState };
    });
    return { outcomes, lease: request && decodeLease(request, lease) };
  }

  /** What settle.lua is to know beside key and token; nothing in most cases. */
  private valuesOf(settlement: Settlement): readonly string[] {
    const lines = storedLines(settlement.logs);
    if (settlement.action === 'complete') {
      const { action, result = '' } = settlement;
      return result === '' && lines.length === 0 ? [] : [action, result, '', ...lines];
    }
    if (settlement.action === 'release') {
      const { action, retryAfterMs = '' } = settlement;
      return [action, '', String(retryAfterMs), ...lines];
    }
    const { action, error, retryable = true, retryInMs = '', defaultRetry = DEFAULT_RETRY } = settlement;
    const terms = [retryable ? 1 : 0, retryInMs, this.random(), encodeRetry(defaultRetry)].join(SEPARATOR);
    return [action, JSON.stringify(storedError(error)), terms, ...lines];
  }

  private async sendExtensions(queue: QueueName, extensions: Extension[], leaseMs: number) {
    const each = extensions.flatMap(({ id, leaseToken, progress, logs }) => {
      const [key, lines] = [keyOf(id), storedLines(logs)];
      return [key, requestOf(leaseToken, key), progress ?? '', lines.length, ...lines];
    });
    const reply = (await this.scripts.run(extendScript, queue, { lease_ms: leaseMs }, each)) as (
      string | number
    )[];
    return extensions.map(({ id }, i): ExtendOutcome => {
      const [code, deadline, cancel] = reply.slice(i * 3, i * 3 + 3);
      if (code === 'extended') {
        return { status: 'extended', leaseExpiresAt: Number(deadline), cancelRequested: cancel === 1 };
      }
      return { status: 'refused', error: new QueueError(code as ErrorCode, { taskId: id }) };
    });
  }
}

type Request = LeaseRequest & { requestId: string };

/**
 * The request that took a task with this token, `<request>.<key>`; of a token of another task nothing, which none is called. The
 * key is in the token alone: tasks that a request took have the same state (state.lua).
 */
function requestOf(leaseToken: string, key: string): string {
  const end = leaseToken.length - key.length - 1;
  return leaseToken[end] === '.' && leaseToken.endsWith(key) ? leaseToken.slice(0, end) : '';
}

function identified(request: LeaseRequest): Request {
  checkLeaseRequest(request);
  const { max, requestId } = request;
  // 128 bits: nobody guesses the token of somebody else's lease.
  return { ...request, requestId: requestId ?? (max === 0 ? '' : randomBytes(16).toString('base64url')) };
}

function leaseArguments({ workerId, requestId, max, leaseMs, tenants = [], steal = true }: Request) {
  return {
    worker: workerId,
    request: requestId,
    max,
    lease_ms: leaseMs,
    tenants: tenants.join(' '),
    // No tenant may be called so.
    steal: typeof steal === 'boolean' ? (steal ? '~' : '') : steal.join(' '),
  };
}

function decodeLeaseReply(request: Request, reply: unknown): Lease {
  const [, ...rest] = reply as [now: number, ...LeaseReply];
  return decodeLease(request, rest);
}

function decodeLease(request: Request, [more, nextDue, deadline, ...values]: LeaseReply): Lease {
  const deadlineMs = Number(deadline);
  const tasks: LeasedTask[] = [];
  for (let i = 0; i < values.length; i += TASK_WIDTH) {
    const { key, leaseExpiresAt, attempt, failures, crashes, errors } = decodeLeased(values[i]!, deadlineMs);
    const { createdAt, spec } = decodeSpec(values[i + 1]!);
    const { queue } = request;
    const { type, tenant, priority, payload, retry, timeoutMs, orderingKey, tags, metadata } = spec;
    // Written out, as in record.ts.
    tasks.push({
      type,
      tenant,
      priority,
      payload,
      retry,
      timeoutMs,
      orderingKey,
      tags,
      metadata,
      id: taskId(queue, key),
      queue,
      createdAt,
      attempt,
      failures,
      crashes,
      errors,
      leaseToken: `${request.requestId}.${key}`,
      leaseExpiresAt,
    });
  }
  const lease: Lease = { tasks, more: more === 1 };
  if (nextDue !== '') lease.nextDueInMs = Number(nextDue);
  return lease;
}
