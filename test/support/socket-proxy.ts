import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

/** A way to the socket of an API that breaks for good after so many messages, or when it is told to. */
export interface SocketProxy {
  readonly url: string;
  /** Resolves once it has broken. */
  readonly broken: Promise<void>;
  break(): void;
  cleanup(): void;
}

/**
 * @param messages those of both directions count, and the last one arrives
 * @param isSilent the API does not notice, as where the machine of its client is gone
 */
export async function startSocketProxy(
  apiUrl: string,
  messages: number,
  isSilent: boolean,
): Promise<SocketProxy> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  const upstream = new WebSocket(`${apiUrl.replace(/^http/, 'ws')}/v1/ws`).on('error', () => undefined);
  await Promise.all([once(server, 'listening'), once(upstream, 'open')]);
  let left = messages;
  let onBroken!: () => void;
  const broken = new Promise<void>((resolve) => (onBroken = resolve));
  const breakAll = () => {
    left = 0;
    // Nothing would answer whoever comes again, as one does whom the API at the next address refuses for now.
    server.close();
    for (const client of server.clients) client.terminate();
    if (!isSilent) upstream.terminate();
    onBroken();
  };
  server.once('connection', (client) => {
    client.on('error', () => undefined);
    const pass = (to: WebSocket) => (data: Buffer) => {
      if (left === 0) return;
      left -= 1;
      to.send(data.toString(), left === 0 ? breakAll : undefined);
    };
    client.on('message', pass(upstream));
    upstream.on('message', pass(client));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    broken,
    break: breakAll,
    cleanup() {
      breakAll();
      upstream.terminate();
    },
  };
}
