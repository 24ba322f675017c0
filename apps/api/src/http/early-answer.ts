import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** How long a client may take to read an answer that was sent before its body was read. */
const GRACE_MS = 1_000;

/** Whether a request's body is still on its way. */
export function isArriving({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * Call before an answer is sent. What is left of a body is read and thrown away for as long as it comes, so that a client
 * could keep its connection for ever by sending a byte now and then: it is closed once it has been answered.
 */
export function closeIfArriving({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (!isArriving(raw)) return;
  reply.header('connection', 'close');
  const { socket } = raw;
  // Node calls it after the answer. Its own would reset the connection, and the client might never see the answer.
  socket.destroySoon = () => endWithGrace(socket);
}

/** Sends the end of the connection, and destroys it once the client has had time to read what was sent. */
function endWithGrace(socket: Socket): void {
  socket.end();
  const timer = setTimeout(() => socket.destroy(), GRACE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}
