import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Logger } from '@app/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { WebSocketServer, type WebSocket } from 'ws';
import { BATCH_BODY_BYTES_MAX } from '../http/body-limits.js';
import { Problem, retryAfterSeconds } from '../http/problem.js';
import type { Upgrade } from '../http/upgrade.js';
import { METRICS, type ApiMetrics } from '../metrics/http-metrics.js';
import { CLOSE_CODES } from './close-codes.js';
import { Connection } from './connection.js';
import { MessageTypes } from './message-types.js';
import { Sessions } from './sessions.js';

/** Injects the `SocketOptions` of the process. */
export const SOCKET_OPTIONS = Symbol('SocketOptions');

export interface SocketOptions {
  log: Logger;
  /** Open at a time. */
  connectionsMax: number;
  /** Between two pings; a connection that is silent for two of them is cut. */
  pingMs: number;
  /** Whether connections come with an API key. */
  hasKeys: boolean;
}

/** The name of our messages, for clients that name a subprotocol. */
export const SUBPROTOCOL = 'fairlane.v1';

/** What a client has to read what was sent at shutdown, and then to close. */
const DRAIN_MS = 5_000;
const CLOSE_MS = 1_000;

/** The open sockets of this process. */
@Injectable()
export class Sockets implements OnModuleDestroy, BeforeApplicationShutdown {
  readonly #open = new Set<Connection>();
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: BATCH_BODY_BYTES_MAX,
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
  });
  readonly #pings: NodeJS.Timeout;
  #closing?: Promise<void>;

  constructor(
    private readonly types: MessageTypes,
    sessions: Sessions,
    @Inject(SOCKET_OPTIONS) private readonly options: SocketOptions,
    @Inject(METRICS) private readonly metrics: ApiMetrics,
  ) {
    this.#pings = setInterval(() => this.#ping(), options.pingMs).unref();
    const connections = metrics.gauge('socket_connections');
    metrics.onScrape(() => {
      connections.set({ role: 'worker' }, sessions.size);
      connections.set({ role: 'client' }, this.#open.size - sessions.size);
    });
  }

  /** @throws Problem where it is refused, before anything was sent */
  accept({ raw, headers }: FastifyRequest, reply: FastifyReply, { socket, head }: Upgrade): void {
    if (this.#closing) throw new Problem('shutting-down', { headers: { 'retry-after': '1' } });
    if (!this.options.hasKeys && isForeign(headers)) throw new Problem('foreign-origin');
    if (headers['sec-websocket-version'] !== '13' || !KEY.test(headers['sec-websocket-key'] ?? '')) {
      throw new Problem('malformed-header', {
        detail: 'The headers of a WebSocket of version 13 are needed.',
      });
    }
    if (this.#open.size >= this.options.connectionsMax) {
      throw new Problem('too-many-connections', { headers: { 'retry-after': retryAfterSeconds() } });
    }
    reply.hijack();
    reply.raw.detachSocket(socket);
    this.#server.handleUpgrade(raw, socket, head, (opened) => this.#serve(opened, socket));
  }

  /** Waited for only in the next step, so that requests parked elsewhere are answered meanwhile. */
  onModuleDestroy(): void {
    this.#closing = this.#close();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#closing;
  }

  #serve(socket: WebSocket, transport: Socket): void {
    const messages = this.metrics.counter('socket_messages_total');
    const connection = new Connection(socket, transport, {
      find: (type) => this.types.find(type),
      log: this.options.log,
      onAnswered: (type, outcome) => messages.inc({ message: type, outcome }),
    });
    this.#open.add(connection);
    connection.onClose((code) => {
      this.#open.delete(connection);
      void connection.worker?.stop();
      this.metrics.counter('socket_closes_total').inc({ code: String(code) });
    });
  }

  #ping(): void {
    const silentSinceMs = performance.now() - 2 * this.options.pingMs;
    for (const connection of this.#open) {
      if (connection.heardAtMs < silentSinceMs) connection.cut();
      else connection.ping();
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#pings);
    await Promise.all([...this.#open].map((connection) => shutDown(connection)));
  }
}

async function shutDown(connection: Connection): Promise<void> {
  const closed = new Promise<void>((resolve) => connection.onClose(() => resolve()));
  await Promise.race([connection.drain(), closed, delay(DRAIN_MS, undefined, { ref: false })]);
  connection.close(...CLOSE_CODES.restart);
  await Promise.race([closed, delay(CLOSE_MS, undefined, { ref: false })]);
  connection.cut();
  await connection.worker?.stop();
}

const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Any page may open a socket to any address, with what its user's machine may do; its browser tells where it is from. */
function isForeign({ origin, host }: FastifyRequest['headers']): boolean {
  if (origin === undefined) return false;
  try {
    return new URL(origin).host !== host;
  } catch {
    return true;
  }
}
