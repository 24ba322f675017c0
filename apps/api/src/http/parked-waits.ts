import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

/** Requests that wait for something: they end when their client leaves, and all at once at shutdown. */
@Injectable()
export class ParkedWaits implements OnModuleDestroy {
  private readonly parked = new Set<AbortController>();
  private ending = false;

  /** Whether the process is shutting down: answers should close their connections, and nothing new should wait. */
  get isEnding(): boolean {
    return this.ending;
  }

  /** Runs `wait` with a signal that aborts when the client of `reply` disconnects or the process shuts down. */
  async park<T>(reply: FastifyReply, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (this.ending || reply.raw.destroyed) abort();
    this.parked.add(controller);
    reply.raw.once('close', abort);
    try {
      return await wait(controller.signal);
    } finally {
      reply.raw.off('close', abort);
      this.parked.delete(controller);
    }
  }

  /** Nest calls this first when it closes the application, while answers can still be sent. */
  onModuleDestroy(): void {
    this.ending = true;
    for (const controller of this.parked) controller.abort();
  }
}
