// Executes the tasks of one queue, several at a time, over one WebSocket. Needs Node 20 and the package ws. What it
// executes is in handlers.ts.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { Attempt, execute, failure, handlers, Permanent, type Task } from './handlers.ts';

const env = process.env;
const url = `${env.FAIRLANE_URL ?? 'http://127.0.0.1:3000'}/v1/ws`.replace(/^http/, 'ws');
const headers = env.FAIRLANE_API_KEY ? { authorization: `Bearer ${env.FAIRLANE_API_KEY}` } : {};
const slots = Number(env.FAIRLANE_SLOTS ?? 4);
const graceMs = Number(env.FAIRLANE_GRACE_SECONDS ?? 20) * 1_000;
/** Leases hold for 30 seconds, so that some beats may get lost. */
const beatMs = Number(env.FAIRLANE_BEAT_SECONDS ?? 5) * 1_000;
/** The connection is given up after so long without a sign of the API. */
const silenceMs = 20_000;
const pauseMs = { min: 200, max: 10_000 };

const myself = {
  workerId: `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`,
  queues: [env.FAIRLANE_QUEUE ?? 'examples'],
  types: Object.keys(handlers),
  host: hostname(),
  pid: process.pid,
  version: '1.0.0',
  labels: { language: 'typescript' },
};

/** The API says no, and would say it again. */
class Refused extends Error {}

let socket: WebSocket | undefined;
let heardAt = 0;
let requests = 0;
/** What was asked over the connection and is not answered yet. */
const asked = new Map<string, { resolve(answer: never): void; reject(error: Error): void }>();

function ask<Answer>(type: string, body: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) throw new Error('not connected');
    const requestId = String((requests += 1));
    asked.set(requestId, { resolve, reject });
    socket.send(JSON.stringify({ type, requestId, body }));
  });
}

/** Asks the same until it is answered, over whatever connection there is by then. */
async function insist<Answer>(type: string, body: object): Promise<Answer> {
  for (;;) {
    try {
      return await ask<Answer>(type, body);
    } catch (error) {
      if (error instanceof Refused) throw error;
      console.log(`${type}: ${String(error)}; once more`);
      await delay(1_000);
    }
  }
}

interface Outcomes {
  outcomes: { id: string; state?: string; cancelRequested?: boolean; problem?: { code: string } }[];
}

const held = new Map<Attempt, Promise<void>>();
const stopping = new AbortController();
const leaving = new AbortController();

async function run(attempt: Attempt): Promise<void> {
  console.log(attempt.task.id, 'running');
  const end = await execute(attempt);
  // A result that is no JSON, or too long, must not leave the task running.
  if (end)
    await settle(attempt, end).catch(({ message }: Error) =>
      settle(attempt, failure(new Permanent(message))),
    );
  else console.log(attempt.task.id, 'lease-lost');
  held.delete(attempt);
  void giveCredit();
}

async function settle(attempt: Attempt, end: object): Promise<void> {
  const { outcomes } = await insist<Outcomes>('settle', { settlements: [attempt.message(end)] });
  for (const { id, state, problem } of outcomes) console.log(id, state ?? problem?.code);
}

/** What a heartbeat is refused with where the attempt is somebody else's by now. */
const LOST: readonly unknown[] = ['lease-lost', 'task-not-found'];

/** One heartbeat for all that runs. */
async function keep(): Promise<void> {
  const attempts = [...held.keys()];
  if (attempts.length === 0) return;
  const leases = attempts.map((attempt) => attempt.message({ progress: attempt.progress }));
  const { outcomes } = await ask<Outcomes>('heartbeat', { leases });
  for (const [index, { problem, cancelRequested }] of outcomes.entries()) {
    if (LOST.includes(problem?.code)) attempts[index]?.stop('lease-lost');
    else if (cancelRequested) attempts[index]?.stop('cancelled');
  }
}

/** What got lost is not repeated: the next beat says it all. */
function beat(): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (performance.now() - heardAt > silenceMs) return socket.terminate();
  socket.ping();
  keep().catch((error) => console.log('heartbeat:', String(error)));
}

let session: string | undefined;
/** Number of the latest assignment that arrived. */
let received = 0;

/**
 * How many tasks could begin now, in knowledge of all that has arrived. Whether that was answered: if it gets lost, the
 * next connection begins with it.
 */
async function giveCredit(): Promise<boolean> {
  const free = stopping.signal.aborted ? 0 : slots - held.size;
  try {
    await ask('credit', { received, free });
    return true;
  } catch (error) {
    console.log('credit:', String(error));
    return false;
  }
}

/** Until nothing is held. After the answer to credit for none nothing more is assigned, and what did not arrive has gone back. */
async function drain(): Promise<void> {
  while (!(await giveCredit())) await delay(pauseMs.min);
  await Promise.all(held.values());
}

interface Message {
  type: string;
  requestId?: string;
  body: never;
}

function hear({ type, requestId = '', body }: Message): void {
  if (type === 'assigned') return begin(body);
  if (type === 'told') return obey(body);
  const call = asked.get(requestId);
  asked.delete(requestId);
  if (type === 'problem') call?.reject(toError(body));
  else call?.resolve(body);
}

function begin({ number, items }: { number: number; items: Task[] }): void {
  received = number;
  for (const task of items) {
    const attempt = new Attempt(task);
    held.set(attempt, run(attempt));
  }
  // An assignment uses up all credit, even where it is smaller.
  void giveCredit();
}

/** While there is a command, nothing is assigned. */
function obey({ command }: { command?: string }): void {
  if (command) console.log('told:', command);
  if (command === 'terminate') stopping.abort();
}

function toError({ status, code, title }: { status: number; code: string; title: string }): Error {
  return status === 501 || (status < 500 && status !== 429)
    ? new Refused(`${code}: ${title}`)
    : new Error(title);
}

/** Connects, registers, and goes on where it was. Ends with the connection. */
async function connect(onRegistered: () => void): Promise<void> {
  const opened = (socket = new WebSocket(url, { headers }));
  const closed = new Promise((resolve) => opened.once('close', resolve));
  const heard = () => void (heardAt = performance.now());
  opened.on('open', heard).on('ping', heard).on('pong', heard);
  opened.on('message', (data: Buffer) => {
    heard();
    hear(JSON.parse(data.toString()) as Message);
  });
  opened.on('close', () => {
    for (const call of asked.values()) call.reject(new Error('the connection broke'));
    asked.clear();
  });
  try {
    await new Promise((resolve, reject) => opened.on('open', resolve).on('error', reject));
    const resume = session === undefined ? undefined : { session, received };
    const registered = await ask<Registered>('register', { ...myself, resume });
    ({ session, received } = registered);
    onRegistered();
    obey(registered);
    // Tells what is still ours.
    await keep();
    await giveCredit();
  } catch (error) {
    opened.terminate();
    throw / 4\d\d$/.test(String(error)) ? new Refused(String(error)) : error;
  } finally {
    await closed;
  }
}

interface Registered {
  session: string;
  received: number;
  command?: string;
}

/** Until it leaves, or is refused. */
async function stayConnected(): Promise<void> {
  let ceiling = pauseMs.min;
  while (!leaving.signal.aborted) {
    try {
      await connect(() => (ceiling = pauseMs.min));
    } catch (error) {
      if (error instanceof Refused) throw error;
      console.log(String(error));
    }
    // Spread, so that not all workers come back at the same time.
    await delay(Math.random() * ceiling, undefined, { signal: leaving.signal }).catch(() => undefined);
    ceiling = Math.min(2 * ceiling, pauseMs.max);
  }
}

for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stopping.abort());
setInterval(beat, beatMs).unref();
const connected = stayConnected();
await Promise.race([connected, once(stopping.signal, 'abort')]);
await Promise.race([drain(), delay(graceMs)]);
const settlements = [...held.keys()].map((attempt) => attempt.message({ action: 'release' }));
// One try: there is no time for more, and a lease that is not released runs out.
if (settlements.length > 0) await ask('settle', { settlements }).catch((error) => console.log(String(error)));
leaving.abort();
// This code takes it off the list.
socket?.close(1000);
await Promise.race([connected, delay(graceMs)]);
process.exit();
