import { Inject, Injectable } from '@nestjs/common';
import type { Consumer, Lease, LeasedTask, LeaseRequest } from '@app/queue';
import type { FastifyReply } from 'fastify';
import { ParkedWaits } from '../http/parked-waits.js';
import { CONSUMER } from '../ports.module.js';
import { WorkerCommands } from '../workers/worker-commands.js';
import { tryToGiveBack } from './give-back.js';
import type { Place } from './line.js';
import { Lines, placeFor, rest } from './lines.js';

/** Leases over connections that may break: nobody holds what the client of a request was never told. */
@Injectable()
export class LeasePolls {
  constructor(
    @Inject(CONSUMER) private readonly consumer: Consumer,
    private readonly lines: Lines,
    private readonly waits: ParkedWaits,
    private readonly commands: WorkerCommands,
  ) {}

  /** What there is to take now, or within `waitMs`. It goes back unless the client gets all of the answer. */
  async lease(request: LeaseRequest, waitMs: number, reply: FastifyReply): Promise<Lease> {
    const deadlineMs = performance.now() + waitMs;
    if (await this.commands.of(request.workerId)) {
      const repeated = await this.repeatOnly(request, reply);
      if (repeated.tasks.length > 0 || request.max === 0) return repeated;
      // It is to wait where there is nothing, or it would ask again and again.
      const mayWork = await this.waits.park(reply, (signal) =>
        this.untilResumed(request.workerId, deadlineMs, signal),
      );
      // The look for what it took before has used its identity up: it asks again with another one.
      if (!mayWork || request.requestId !== undefined) return NOTHING;
    }
    let lease = await this.consumer.lease(request);
    if (lease.tasks.length === 0 && waitMs > 0 && request.max > 0)
      lease = await this.wait(request, lease, deadlineMs, reply);
    await this.giveBackUnlessDelivered(lease.tasks, reply);
    return lease;
  }

  /** For one that is told to take nothing: what an earlier request took for it is its own, and it may not know yet. */
  private async repeatOnly(request: LeaseRequest, reply: FastifyReply): Promise<Lease> {
    if (request.requestId === undefined) return NOTHING;
    const { tasks } = await this.consumer.lease({ ...request, max: 0 });
    await this.giveBackUnlessDelivered(tasks, reply);
    return { tasks, more: false };
  }

  /** Whether it is to work again before the time is over. */
  private async untilResumed(workerId: string, deadlineMs: number, signal: AbortSignal): Promise<boolean> {
    const leftMs = (): number => deadlineMs - performance.now();
    while (leftMs() > 0) {
      await rest(Math.min(leftMs(), LOOK_MS), signal);
      if (signal.aborted) return false;
      if (!(await this.commands.of(workerId))) return true;
    }
    return false;
  }

  /** Puts tasks back at the heads of their lanes if the client has left, or leaves before it has the whole answer. */
  async giveBackUnlessDelivered(tasks: readonly LeasedTask[], reply: FastifyReply): Promise<void> {
    if (tasks.length === 0) return;
    if (reply.raw.destroyed) return tryToGiveBack(this.consumer, tasks);
    const { socket } = reply.request.raw;
    let delivered = false;
    // Node says so of an answer that was cut off, too.
    reply.raw.once('finish', () => (delivered = !socket.destroyed));
    reply.raw.once('close', () => {
      if (!delivered) void tryToGiveBack(this.consumer, tasks);
    });
  }

  private wait(request: LeaseRequest, first: Lease, deadlineMs: number, reply: FastifyReply): Promise<Lease> {
    const place = placeFor(request);
    this.lines.enter(place);
    return this.waits
      .park(reply, (signal) => this.untilFound(request, first, { place, deadlineMs, reply, signal }))
      .finally(() => this.lines.leave(place));
  }

  /** Waits for a token, or for what only time brings, and asks again, until there is something or the time is over. */
  private async untilFound(request: LeaseRequest, first: Lease, poll: Poll): Promise<Lease> {
    const { place, deadlineMs, reply, signal } = poll;
    const leftMs = (): number => deadlineMs - performance.now();
    let asking = request;
    let lease = first;
    while (lease.tasks.length === 0 && !signal.aborted && leftMs() > 0) {
      // What a repeat had taken went back or was lost; only another identity gets what is there now.
      if (lease.more) asking = { ...request, requestId: undefined };
      await rest(Math.min(place.vain(lease.nextDueInMs), leftMs()), signal);
      const heard = await this.lines.hear([place], leftMs(), signal);
      if (reply.raw.destroyed || (await this.commands.of(request.workerId))) {
        if (heard?.hasToken) await this.lines.passOn(request);
        return lease;
      }
      if (!heard) return lease;
      lease = await this.consumer.lease(asking);
    }
    return lease;
  }
}

/** How late a poll hears that its worker is to work again. What is wanted of workers is read no more often anyway. */
const LOOK_MS = 1_000;

const NOTHING: Lease = { tasks: [], more: false };

interface Poll {
  place: Place;
  deadlineMs: number;
  reply: FastifyReply;
  /** Aborts when the client leaves or the process shuts down. */
  signal: AbortSignal;
}
