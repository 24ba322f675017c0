import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Where sockets are opened. */
export const SOCKET_PATH = '/v1/ws';

/** What a request to upgrade has beside its headers. */
export interface Upgrade {
  socket: Socket;
  /** What was sent along with the headers. */
  head: Buffer;
}

/**
 * Has requests to open a socket pass the router like any other, so that the same hooks decide about them. Any other
 * upgrade is not taken up, which HTTP leaves to the server: Java's client, for one, asks for HTTP/2 with every request.
 */
export function routeUpgrades(instance: FastifyInstance): void {
  instance.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!asksForSocket(request)) return carryOn(instance.server, request, socket, head);
    const response = new ServerResponse(request);
    // Nobody reads requests from this connection any more.
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.destroySoon());
    socket.on('error', () => socket.destroy());
    upgrades.set(request, { socket, head });
    response.assignSocket(socket);
    instance.routing(request, response);
  });
}

/** How to take up the upgrade that a request asks for; `undefined` where it asks for none. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request);
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>();

function asksForSocket({ method, headers, url = '' }: IncomingMessage): boolean {
  return (
    method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && url.split('?', 1)[0] === SOCKET_PATH
  );
}

/** Node has stopped reading HTTP from the connection: it begins anew, with the same request without its wish. */
function carryOn(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (!OF_UPGRADES.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

const OF_UPGRADES: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings']);
