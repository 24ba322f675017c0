import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ParkedWaits } from '../http/parked-waits.js';
import { Problem, retryAfterSeconds } from '../http/problem.js';
import { METRICS, type ApiMetrics } from '../metrics/http-metrics.js';
import { EventStream } from './event-stream.js';

/** Injects how many may follow at a time over one process. */
export const FOLLOWERS_MAX = Symbol('FollowersMax');

export type StreamKind = 'task' | 'queue' | 'all';

/** The answers of this process that go on: bounded in number, counted, and ended all at once at shutdown. */
@Injectable()
export class EventStreams {
  private open = 0;

  constructor(
    private readonly waits: ParkedWaits,
    @Inject(FOLLOWERS_MAX) private readonly followersMax: number,
    @Inject(METRICS) private readonly metrics: ApiMetrics,
  ) {}

  /** Counts one more, until it leaves. @throws Problem `too-many-followers` */
  enter(kind: StreamKind): () => void {
    if (this.open >= this.followersMax) {
      throw new Problem('too-many-followers', { headers: { 'retry-after': retryAfterSeconds() } });
    }
    if (this.waits.isEnding) throw new Problem('shutting-down', { headers: { 'retry-after': '1' } });
    this.open += 1;
    this.metrics.gauge('event_followers').inc({ stream: kind });
    return () => {
      this.open -= 1;
      this.metrics.gauge('event_followers').dec({ stream: kind });
    };
  }

  /**
   * Prepares a stream, which may refuse the request or answer it otherwise, and keeps it going until somebody ends it.
   *
   * @param prepare begins the stream when nothing can be refused any more
   * @throws Problem `too-many-followers`
   */
  async run(
    kind: StreamKind,
    reply: FastifyReply,
    prepare: (begin: () => EventStream) => Promise<void>,
  ): Promise<void> {
    const leave = this.enter(kind);
    const streams: EventStream[] = [];
    try {
      await this.waits.park(reply, async (signal) => {
        await prepare(() => {
          const stream = new EventStream(reply);
          streams.push(stream);
          return stream;
        });
        await over(streams[0], reply, signal);
      });
    } finally {
      leave();
      for (const stream of streams) {
        if (stream.cut) this.metrics.counter('event_followers_cut_total').inc({ stream: kind });
        stream.end();
      }
    }
  }
}

/** Resolves when the answer has ended, its client has left or the process shuts down. */
function over(stream: EventStream | undefined, { raw }: FastifyReply, signal: AbortSignal): Promise<void> {
  if (!stream || stream.isOver || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    raw.once('finish', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
