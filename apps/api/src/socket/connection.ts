import type { Socket } from 'node:net';
import type { Logger } from '@app/runtime';
import type { WebSocket } from 'ws';
import { BODY_BYTES_MAX } from '../http/body-limits.js';
import { parseJson } from '../http/body-parsers.js';
import { Problem, type ProblemBody } from '../http/problem.js';
import { toProblem } from '../http/to-problem.js';
import { checkBody } from '../http/validation.js';
import type { Assigner } from './assigner.js';
import { CLOSE_CODES } from './close-codes.js';
import { checkEnvelope, malformed, requestIdOf, type Message } from './envelope.js';
import { SocketSink } from './socket-sink.js';

/** Messages of one connection carried out at a time; the others are not read before. */
const IN_FLIGHT_MAX = 32;
/** Messages of one connection that wait for something. */
const WAITS_MAX = 1_000;
/** Nothing more is read from whoever has left this much unread. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** What one connection follows at a time. */
const FOLLOWS_MAX = 100;

/** How the messages of one type are carried out. */
export interface Handler<Body extends object = object> {
  /** What they say in `type`. */
  readonly type: string;
  /** What `body` must be. */
  readonly dto: new () => Body;
  readonly answer: { readonly type: string };
  /** Default: as that of a request with one task. */
  readonly bodyBytesMax?: number;

  /** Carries a checked message out. @throws Problem, QueueError where it is refused */
  handle(body: Body, connection: Connection, requestId?: string): Promise<object>;
}

export interface ConnectionOptions {
  /** @throws Problem where there is no such type */
  find: (type: string) => Handler;
  log: Logger;
  /** Told of every message that was answered. `type` is `unknown` where it could not be read. */
  onAnswered: (type: string, outcome: string) => void;
}

/** One open socket: reads messages no faster than it can answer them. */
export class Connection {
  /** When something was last heard of the client, by `performance.now()`. */
  heardAtMs = performance.now();
  readonly #left = new AbortController();
  readonly #unread: Buffer[] = [];
  #isDraining = false;
  #inFlight = 0;
  #waits = 0;
  #drained?: () => void;
  /** What it follows, by the request that asked for it. */
  readonly #follows = new Map<string, SocketSink>();
  #worker?: Assigner;
  #isRegistering = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly transport: Socket,
    private readonly options: ConnectionOptions,
  ) {
    const heard = () => void (this.heardAtMs = performance.now());
    socket.on('ping', heard).on('pong', heard);
    socket.on('message', (data: Buffer, isBinary) => {
      heard();
      if (isBinary) return this.close(...CLOSE_CODES.binary);
      // Unanswered, so that its sender repeats it elsewhere.
      if (this.#isDraining) return;
      this.#unread.push(data);
      this.#read();
    });
    // What went wrong is the client's doing, and its close code says it.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#left.abort());
    this.left.addEventListener('abort', () => this.#follows.forEach((sink) => sink.stop()), { once: true });
  }

  /** Of the worker that it is registered for. */
  get worker(): Assigner | undefined {
    return this.#worker;
  }

  /** @throws Problem `not-registered` */
  get registered(): Assigner {
    if (!this.#worker) throw new Problem('not-registered');
    return this.#worker;
  }

  /** @throws Problem `already-registered` */
  async registerOnce<T>(register: () => Promise<{ worker: Assigner; answer: T }>): Promise<T> {
    if (this.#worker || this.#isRegistering) throw new Problem('already-registered');
    this.#isRegistering = true;
    try {
      const { worker, answer } = await register();
      this.#worker = worker;
      if (!this.isOpen) await worker.stop();
      return answer;
    } finally {
      this.#isRegistering = false;
    }
  }

  /** Aborts when the connection closes or the process shuts down: there is nothing to wait for any more. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  /** @param listener gets the code */
  onClose(listener: (code: number) => void): void {
    this.socket.once('close', listener);
  }

  /** Whether all of it was handed to the network: false where the connection has closed before. */
  send(message: Message): Promise<boolean> {
    return new Promise((resolve) => {
      this.socket.send(JSON.stringify(message), (error) => {
        // Node says so of what was cut off, too.
        resolve(!error && !this.transport.destroyed);
        this.#read();
      });
    });
  }

  /** Runs what may take long without keeping other messages from being read. @throws Problem `too-many-waits` */
  async wait<T>(wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#waits >= WAITS_MAX) throw new Problem('too-many-waits', { detail: `At most ${WAITS_MAX}.` });
    this.#waits += 1;
    this.#inFlight -= 1;
    this.#read();
    try {
      return await wait(this.left);
    } finally {
      this.#waits -= 1;
      this.#inFlight += 1;
    }
  }

  /**
   * Has a sink of its own tell what the request with this id asked to follow.
   *
   * @param enter is called once nothing speaks against it, and gives what is to be called at the end
   * @throws Problem `malformed-message` without an id or with one that follows already, `too-many-waits`
   */
  follow(requestId: string | undefined, enter: () => () => void): SocketSink {
    if (requestId === undefined) throw malformed([{ pointer: '/requestId', detail: 'is required' }]);
    if (this.#follows.has(requestId)) {
      throw malformed([{ pointer: '/requestId', detail: 'is that of something which is followed already' }]);
    }
    if (this.#follows.size >= FOLLOWS_MAX) {
      throw new Problem('too-many-waits', { detail: `At most ${FOLLOWS_MAX} are followed.` });
    }
    const leave = enter();
    const sink = new SocketSink(this, requestId, () => {
      this.#follows.delete(requestId);
      leave();
    });
    this.#follows.set(requestId, sink);
    if (this.left.aborted) sink.stop();
    return sink;
  }

  unfollow(requestId: string): void {
    this.#follows.get(requestId)?.stop();
  }

  /** Whether it leaves so much unread that it must not be sent more which it did not ask for. */
  get isSlow(): boolean {
    return this.socket.bufferedAmount > UNREAD_BYTES_MAX;
  }

  ping(): void {
    if (this.isOpen) this.socket.ping();
  }

  /** Asks the client to close as well. */
  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  /** Without waiting for the client. */
  cut(): void {
    this.socket.terminate();
  }

  /** Reads nothing more, ends waits, gives back what has not been delivered, and answers what is under way. */
  async drain(): Promise<void> {
    this.#left.abort();
    this.#isDraining = true;
    this.#unread.length = 0;
    await this.worker?.stop();
    if (this.#inFlight + this.#waits > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    // What was settled meanwhile may have brought something more.
    await this.worker?.stop();
  }

  #read(): void {
    while (this.#unread.length > 0 && this.#mayRead) {
      this.#inFlight += 1;
      void this.#answer(this.#unread.shift()!).finally(() => {
        this.#inFlight -= 1;
        if (this.#inFlight + this.#waits === 0) this.#drained?.();
        this.#read();
      });
    }
    if (this.#unread.length > 0) this.socket.pause();
    else this.socket.resume();
  }

  get #mayRead(): boolean {
    return this.#inFlight < IN_FLIGHT_MAX && this.socket.bufferedAmount <= UNREAD_BYTES_MAX;
  }

  async #answer(bytes: Buffer): Promise<void> {
    const { find, log, onAnswered } = this.options;
    let requestId: string | undefined;
    let type = 'unknown';
    try {
      const plain = parseJson(bytes);
      requestId = requestIdOf(plain);
      const message = checkEnvelope(plain);
      const handler = find(message.type);
      type = handler.type;
      if (bytes.length > (handler.bodyBytesMax ?? BODY_BYTES_MAX)) throw new Problem('payload-too-large');
      const body = await handler.handle(checkBody(handler.dto, message.body), this, requestId);
      onAnswered(type, 'ok');
      if (requestId !== undefined) void this.send({ type: handler.answer.type, requestId, body });
    } catch (error) {
      const problem = toProblem(error, log, { messageType: type });
      onAnswered(type, problem.code);
      void this.send({ type: 'problem', requestId, body: bodyOf(problem) });
    }
  }
}

/** As over HTTP, with what stands in a header there. */
function bodyOf(problem: Problem): ProblemBody {
  const seconds = problem.headers['retry-after'];
  const { retryAfterMs = seconds === undefined ? undefined : Number(seconds) * 1_000 } = problem.facts;
  return { ...problem.body(), retryAfterMs };
}
