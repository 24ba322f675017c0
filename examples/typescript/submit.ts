// Submits a task and waits for its end: submit.ts TYPE [PAYLOAD]. Needs Node 20 and nothing else.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

const env = process.env;
const api = env.FAIRLANE_URL ?? 'http://127.0.0.1:3000';
const queue = env.FAIRLANE_QUEUE ?? 'examples';

interface Task {
  id: string;
  state: string;
}

/** Sends the same request until it is answered. */
async function call(
  path: string,
  init: { method?: string; body?: string; headers?: object } = {},
): Promise<Task> {
  const headers: Record<string, string> = { 'content-type': 'application/json', ...init.headers };
  if (env.FAIRLANE_API_KEY) headers.authorization = `Bearer ${env.FAIRLANE_API_KEY}`;
  for (;;) {
    try {
      const answer = await fetch(api + path, { ...init, headers, signal: AbortSignal.timeout(40_000) });
      const text = await answer.text();
      if (answer.ok) return JSON.parse(text) as Task;
      if (answer.status < 500 && ![408, 429].includes(answer.status)) {
        console.error(text);
        process.exit(1);
      }
      await delay(Number(answer.headers.get('retry-after') ?? 1) * 1_000);
    } catch {
      await delay(1_000);
    }
  }
}

const [type, payload = 'null'] = process.argv.slice(2);
let task = await call('/v1/tasks', {
  method: 'POST',
  body: JSON.stringify({ type, queue, payload: JSON.parse(payload) }),
  // With its key the submission makes one task, however often it is sent.
  headers: { 'idempotency-key': env.IDEMPOTENCY_KEY ?? randomUUID(), prefer: 'wait=10' },
});
while (!['completed', 'failed', 'cancelled', 'expired'].includes(task.state)) {
  task = await call(`/v1/tasks/${encodeURIComponent(task.id)}?wait=30`);
}
console.log(JSON.stringify(task));
process.exit(task.state === 'completed' ? 0 : 1);
