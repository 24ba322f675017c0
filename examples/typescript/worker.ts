// Executes the tasks of one queue, several at a time. Needs Node 20 and nothing else. What it executes is in handlers.ts.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Attempt, execute, failure, handlers, Permanent, type Task } from './handlers.ts';

const env = process.env;
const api = env.FAIRLANE_URL ?? 'http://127.0.0.1:3000';
const queue = env.FAIRLANE_QUEUE ?? 'examples';
const slots = Number(env.FAIRLANE_SLOTS ?? 4);
const graceMs = Number(env.FAIRLANE_GRACE_SECONDS ?? 20) * 1_000;
const workerId = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
/** Leases hold for 30 seconds, so that some beats may get lost. */
const beatMs = Number(env.FAIRLANE_BEAT_SECONDS ?? 5) * 1_000;

/** The API says no, and would say it again. */
class Refused extends Error {}

interface Terms {
  method?: string;
  timeoutMs?: number;
  cut?: AbortSignal;
}

/** One try. Throws `Refused`, or anything else where nobody knows what happened. */
async function send<Answer>(
  path: string,
  body: object,
  { method = 'POST', timeoutMs = 10_000, cut }: Terms = {},
): Promise<Answer | undefined> {
  const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(cut ? [cut] : [])]);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (env.FAIRLANE_API_KEY) headers.authorization = `Bearer ${env.FAIRLANE_API_KEY}`;
  const answer = await fetch(api + path, { method, headers, body: JSON.stringify(body), signal });
  const text = await answer.text();
  if (answer.ok) return text === '' ? undefined : (JSON.parse(text) as Answer);
  if (answer.status === 501 || (answer.status < 500 && ![408, 429].includes(answer.status)))
    throw new Refused(`${answer.status} ${text}`);
  await delay(Number(answer.headers.get('retry-after') ?? 0) * 1_000);
  throw new Error(`answered ${answer.status}`);
}

/** One try for one who stops: there is no time for more, and a lease that is not released runs out. */
async function sendLast<Answer>(path: string, body: object, terms?: Terms): Promise<Answer | undefined> {
  return send<Answer>(path, body, terms).catch((error) => void console.log(`${path}: ${String(error)}`));
}

/** Sends the same request until it is answered, or cut off. */
async function post<Answer>(path: string, body: object, terms?: Terms): Promise<Answer | undefined> {
  for (;;) {
    try {
      return await send<Answer>(path, body, terms);
    } catch (error) {
      if (error instanceof Refused || terms?.cut?.aborted) throw error;
      console.log(`${path}: ${String(error)}; once more`);
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
/** Whether an operator wants it to take nothing. */
let isQuiet = false;

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
}

async function settle(attempt: Attempt, end: object): Promise<void> {
  const answer = await post<Outcomes>('/v1/leases/settle', { settlements: [attempt.message(end)] });
  for (const { id, state, problem } of answer?.outcomes ?? []) console.log(id, state ?? problem?.code);
}

/** What a heartbeat is refused with where the attempt is somebody else's by now. */
const LOST: readonly unknown[] = ['lease-lost', 'task-not-found'];

/** One heartbeat for all that runs. */
async function keep(): Promise<void> {
  const attempts = [...held.keys()];
  if (attempts.length === 0) return;
  const leases = attempts.map((attempt) => attempt.message({ progress: attempt.progress }));
  const answer = await send<Outcomes>('/v1/leases/heartbeat', { leases });
  for (const [index, { problem, cancelRequested }] of (answer?.outcomes ?? []).entries()) {
    if (LOST.includes(problem?.code)) attempts[index]?.stop('lease-lost');
    else if (cancelRequested) attempts[index]?.stop('cancelled');
  }
}

const workerPath = `/v1/workers/${workerId}`;
const myself = {
  queues: [queue],
  types: Object.keys(handlers),
  host: hostname(),
  pid: process.pid,
  version: '1.0.0',
  labels: { language: 'typescript' },
  ttl: '30s',
};

/** Says that the worker is there, and hears what an operator wants of it. */
async function appear(): Promise<void> {
  const answer = await send<{ command?: string }>(workerPath, myself, { method: 'PUT' });
  isQuiet = answer?.command !== undefined;
  if (isQuiet) console.log('told:', answer?.command);
  if (answer?.command === 'terminate') stopping.abort();
}

/** What got lost is not repeated: the next beat says it all. */
async function beat(): Promise<void> {
  while (!leaving.signal.aborted) {
    for (const each of [keep, appear])
      await each().catch((error) => console.log(`${each.name}: ${String(error)}`));
    await delay(beatMs, undefined, { signal: leaving.signal }).catch(() => undefined);
  }
}

interface Lease {
  items: Task[];
}

const leasePath = `/v1/queues/${queue}/lease`;
const polling = { timeoutMs: 30_000, cut: stopping.signal };
/** The latest request for tasks. */
let terms: object = {};

/** Takes tasks for all free slots as soon as there are some. */
async function work(): Promise<void> {
  const stopped = once(stopping.signal, 'abort');
  while (!stopping.signal.aborted) {
    if (isQuiet || held.size >= slots) {
      await Promise.race([...held.values(), stopped, delay(1_000)]);
      continue;
    }
    terms = { workerId, max: slots - held.size, requestId: randomBytes(16).toString('hex') };
    const answer = await post<Lease>(leasePath, { ...terms, wait: '20s' }, polling);
    for (const task of answer?.items ?? []) {
      const attempt = new Attempt(task);
      held.set(attempt, run(attempt));
    }
  }
}

/** What was on its way to us when the request was cut off: the same one, for no task, tells what it has taken. */
async function giveBack(): Promise<void> {
  const ours = [...held.keys()].map(({ task }) => task.leaseToken);
  const answer = await sendLast<Lease>(leasePath, { ...terms, max: 0 });
  await release((answer?.items ?? []).filter(({ leaseToken }) => !ours.includes(leaseToken)));
}

async function release(tasks: Task[]): Promise<void> {
  const settlements = tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'release' }));
  if (settlements.length > 0) await sendLast('/v1/leases/settle', { settlements });
}

for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stopping.abort());
const beating = beat();
await work().catch((error) => {
  if (!stopping.signal.aborted) throw error;
});
await giveBack();
await Promise.race([Promise.all(held.values()), delay(graceMs)]);
await release([...held.keys()].map(({ task }) => task));
leaving.abort();
await beating;
await sendLast(workerPath, {}, { method: 'DELETE' });
process.exit();
