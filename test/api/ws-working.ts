import { openSocket, type AssignedTask, type SocketClient } from '../support/socket.js';

export interface Registered {
  session: string;
  received: number;
  command?: string;
}

export interface Assigned {
  number: number;
  items: AssignedTask[];
}

/** A registered worker of the API at this address. */
export async function startWorker(url: string, terms: object = {}) {
  const client = await openSocket(url);
  const { type, body } = await client.ask<Registered>('register', { workerId: 'w', queues: ['q'], ...terms });
  expect(type).toBe('registered');
  return { ...client, ...body };
}

export const assignedTo = async (worker: SocketClient) => (await worker.next<Assigned>('assigned')).body;

export const complete = ({ id, leaseToken }: AssignedTask, result?: unknown) => ({
  id,
  leaseToken,
  action: 'complete',
  result,
});
