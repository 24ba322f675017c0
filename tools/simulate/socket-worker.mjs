import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { Refused } from './api.mjs';
import { Worker } from './worker.mjs';

/** A worker as docs/websocket.md tells one to be written. */
export class SocketWorker extends Worker {
  static kind = 'socket';
  #socket;
  #session;
  /** Number of the latest assignment that arrived. */
  #received = 0;
  #asked = 0;
  /** What waits for an answer, by request id. */
  #waiting = new Map();

  async take() {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.#connect().catch((error) => {
        if (error.status < 500) throw error;
      });
      if (!signal.aborted)
        await delay(200 + Math.random() * 800, undefined, { signal }).catch(() => undefined);
    }
    // After the answer nothing more is assigned.
    await this.#credit();
  }

  slotFreed() {
    void this.#credit();
  }

  /** Over HTTP where the connection breaks: that means the same. */
  async settle(settlement) {
    const body = { settlements: [settlement] };
    const answer = await this.#ask('settle', body).catch((error) => {
      if (error.status < 500) throw error;
      return this.api.insist('POST', '/v1/leases/settle', body);
    });
    return answer.outcomes[0];
  }

  async sendBeat(body) {
    return (await this.#ask('heartbeat', { ...body, extend: '30s' })).outcomes;
  }

  async leave() {
    this.#socket?.close(1000);
  }

  /** Resolves when the connection is closed, or nothing more is to be taken. */
  async #connect() {
    const socket = new WebSocket(this.api.socketUrl, { headers: this.api.headers });
    this.#socket = socket;
    socket.on('message', (data) => this.#hear(socket, JSON.parse(String(/** @type {Buffer} */ (data)))));
    const closed = once(socket, 'close').catch(() => undefined);
    void closed.then(() => this.#forget());
    await once(socket, 'open');
    const { session, received } = await this.#ask('register', {
      workerId: this.id,
      ...this.registration,
      resume: this.#session && { session: this.#session, received: this.#received },
    });
    this.#session = session;
    this.#received = received;
    await this.beat();
    await this.#credit();
    await Promise.race([closed, this.stopped]);
  }

  #hear(socket, { type, requestId, body }) {
    // What comes over an older connection has gone back.
    if (socket !== this.#socket) return;
    if (type === 'assigned') {
      this.#received = body.number;
      for (const task of body.items) this.begin(task);
      void this.#credit();
    } else if (type === 'told') {
      if (body.command === 'terminate') this.stop();
    } else {
      const waiting = this.#waiting.get(requestId);
      this.#waiting.delete(requestId);
      if (type === 'problem') waiting?.reject(new Refused(body));
      else waiting?.resolve(body);
    }
  }

  /** How much it could begin, knowing of all that has arrived. */
  async #credit() {
    await this.#ask('credit', { received: this.#received, free: this.free }).catch(() => undefined);
  }

  #ask(type, body) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return Promise.reject(new Error('not connected'));
    const requestId = String(this.#asked++);
    this.#socket.send(JSON.stringify({ type, requestId, body }));
    return new Promise((resolve, reject) => this.#waiting.set(requestId, { resolve, reject }));
  }

  /** Nobody answers any more what was asked over the connection that broke. */
  #forget() {
    for (const { reject } of this.#waiting.values()) reject(new Error('the connection broke'));
    this.#waiting.clear();
  }
}
