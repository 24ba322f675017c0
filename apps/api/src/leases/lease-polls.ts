import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Consumer, Lease, LeasedTask, LeaseRequest } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ParkedWaits } from '../http/parked-waits.js';
import { CONSUMER } from '../ports.module.js';
import { WorkerCommands } from '../workers/worker-commands.js';
import { Line, type Place } from './line.js';

/** Leases over connections that may break: nobody holds what the client of a request was never told. */
@Injectable()
export class LeasePolls {
  /** By what their polls wait for. */
  readonly #lines = new Map<string, Line>();

  constructor(
    @Inject(CONSUMER) private readonly consumer: Consumer,
    private readonly waits: ParkedWaits,
    private readonly commands: WorkerCommands,
  ) {}

  /** What there is to take now, or within `waitMs`. It goes back unless the client gets all of the answer. */
  async lease(request: LeaseRequest, waitMs: number, reply: FastifyReply): Promise<Lease> {
    const deadlineMs = performance.now() + waitMs;
    if (await this.commands.of(request.workerId)) {
      // Told to take nothing. It is to wait all the same, or it would ask again and again.
      await this.waits.park(reply, (signal) => rest(waitMs, signal));
      return NOTHING;
    }
    let lease = await this.consumer.lease(request);
    if (lease.tasks.length === 0 && waitMs > 0 && request.max > 0)
      lease = await this.wait(request, lease, deadlineMs, reply);
    await this.giveBackUnlessDelivered(lease.tasks, reply);
    return lease;
  }

  /** Puts tasks back at the heads of their lanes if the client has left, or leaves before it has the whole answer. */
  async giveBackUnlessDelivered(tasks: readonly LeasedTask[], reply: FastifyReply): Promise<void> {
    if (tasks.length === 0) return;
    if (reply.raw.destroyed) return this.giveBack(tasks);
    const { socket } = reply.request.raw;
    let delivered = false;
    // Node says so of an answer that was cut off, too.
    reply.raw.once('finish', () => (delivered = !socket.destroyed));
    reply.raw.once('close', () => {
      if (!delivered) void this.giveBack(tasks);
    });
  }

  private wait(request: LeaseRequest, first: Lease, deadlineMs: number, reply: FastifyReply): Promise<Lease> {
    const key = lineOf(request);
    const line = this.#lines.get(key) ?? new Line();
    this.#lines.set(key, line);
    const place = line.enter();
    return this.waits
      .park(reply, (signal) => this.untilFound(request, first, { place, deadlineMs, reply, signal }))
      .finally(() => {
        place.leave();
        if (line.isEmpty) this.#lines.delete(key);
      });
  }

  /** Waits for a token, or for what only time brings, and asks again, until there is something or the time is over. */
  private async untilFound(request: LeaseRequest, first: Lease, poll: Poll): Promise<Lease> {
    const { place, deadlineMs, reply, signal } = poll;
    const leftMs = (): number => deadlineMs - performance.now();
    const anew = { ...request, requestId: undefined };
    let asking = request;
    let lease = first;
    while (lease.tasks.length === 0 && !signal.aborted && leftMs() > 0) {
      // What a repeat had taken went back or was lost; only another identity gets what is there now.
      if (lease.more) asking = anew;
      await rest(Math.min(place.vain(lease.nextDueInMs), leftMs()), signal);
      const heard = await this.consumer.waitForWork(
        [request.queue],
        Math.max(0, Math.ceil(Math.min(place.patienceMs, leftMs()))),
        AbortSignal.any([signal, place.woken]),
        servedOnly(request),
      );
      if (reply.raw.destroyed || (await this.commands.of(request.workerId))) {
        // The token is the queue's only one: somebody else can use it.
        if (heard !== undefined) await this.consumer.lease({ ...anew, max: 0 });
        return lease;
      }
      if (heard === undefined && (signal.aborted || leftMs() <= 0)) return lease;
      lease = await this.consumer.lease(asking);
    }
    return lease;
  }

  private async giveBack(tasks: readonly LeasedTask[]): Promise<void> {
    const releases = tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'release' as const }));
    // Where the store does not answer the leases run out by themselves, and nobody is there to be told.
    await this.consumer.settle(releases).catch(() => undefined);
  }
}

const NOTHING: Lease = { tasks: [], more: false };

interface Poll {
  place: Place;
  deadlineMs: number;
  reply: FastifyReply;
  /** Aborts when the client leaves or the process shuts down. */
  signal: AbortSignal;
}

/** Whose work to wait for; absent where everybody is served. */
function servedOnly({ tenants = [], steal = true }: LeaseRequest): string[] | undefined {
  return steal === true ? undefined : [...new Set([...tenants, ...(steal || [])])];
}

/** Names have no spaces. */
function lineOf(request: LeaseRequest): string {
  return [request.queue, ...(servedOnly(request) ?? ['']).sort()].join(' ');
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
}
