import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';

export interface SocketMessage<Body = Record<string, unknown>> {
  type: string;
  requestId?: string;
  body: Body;
}

export interface AssignedTask {
  id: string;
  type: string;
  payload: unknown;
  attempt: number;
  leaseToken: string;
}

/** A client of the API's socket, as a program in any language writes it. */
export interface SocketClient {
  readonly ws: WebSocket;
  /** Everything that came and was not an answer to `ask`, in order. */
  readonly heard: SocketMessage[];
  /** Sends a message and gives its answer, be it a problem. */
  ask<Body = Record<string, unknown>>(type: string, body?: object): Promise<SocketMessage<Body>>;
  /** The next message of the type that nobody has taken yet. */
  next<Body = Record<string, unknown>>(type: string): Promise<SocketMessage<Body>>;
  /** Gives the code with which the connection closes, or has closed. */
  closed: Promise<number>;
  /** Without a word, as when the machine is gone. */
  cut(): void;
}

const open = new Set<WebSocket>();

export async function openSocket(url: string, options: ClientOptions = {}, protocols: string[] = []) {
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`, protocols, options);
  open.add(ws);
  const client = clientOf(ws);
  await once(ws, 'open');
  return client;
}

/** Status and body of the answer to a request that opens no socket. */
export async function refusedSocket(url: string, options: ClientOptions = {}, protocols: string[] = []) {
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/ws`, protocols, options);
  ws.on('error', () => undefined);
  const [, response] = (await once(ws, 'unexpected-response')) as [unknown, NodeJS.ReadableStream];
  const { statusCode, headers } = response as never as {
    statusCode: number;
    headers: Record<string, string>;
  };
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: statusCode, headers, body: JSON.parse(text) as Record<string, unknown> };
}

/** Call in `afterEach`. */
export function cutSockets(): void {
  for (const ws of open) ws.terminate();
  open.clear();
}

function clientOf(ws: WebSocket): SocketClient {
  const answers = new Map<string, (message: SocketMessage) => void>();
  const waiting: { type: string; resolve: (message: SocketMessage) => void }[] = [];
  const heard: SocketMessage[] = [];
  let asked = 0;
  ws.on('error', () => undefined);
  ws.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as SocketMessage;
    const answer = answers.get(message.requestId ?? '');
    if (answer) {
      answers.delete(message.requestId!);
      return answer(message);
    }
    const index = waiting.findIndex(({ type }) => type === message.type);
    if (index >= 0) return waiting.splice(index, 1)[0]!.resolve(message);
    heard.push(message);
  });
  const closed = new Promise<number>((resolve) => ws.once('close', resolve));
  return {
    ws,
    heard,
    closed,
    cut: () => ws.terminate(),
    ask: <Body>(type: string, body?: object) => {
      const requestId = String(++asked);
      ws.send(JSON.stringify({ type, requestId, body }));
      return new Promise<SocketMessage<Body>>((resolve, reject) => {
        answers.set(requestId, resolve as (message: SocketMessage) => void);
        void closed.then((code) => reject(new Error(`closed with ${code}`)));
      });
    },
    next: <Body>(type: string) => {
      const index = heard.findIndex((message) => message.type === type);
      if (index >= 0) return Promise.resolve(heard.splice(index, 1)[0] as SocketMessage<Body>);
      return new Promise<SocketMessage<Body>>((resolve, reject) => {
        waiting.push({ type, resolve: resolve as (message: SocketMessage) => void });
        void closed.then((code) => reject(new Error(`closed with ${code}`)));
      });
    },
  };
}
