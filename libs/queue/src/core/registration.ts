import { checkCount } from './checks.js';
import { QueueError } from './errors.js';
import { LIMITS } from './limits.js';
import { checkName, checkQueueName, NAME_PATTERNS } from './names.js';
import type { QueueName } from './task.js';
import type { RegisteredWorker, WorkerRegistration } from './worker.js';

/** @throws QueueError kind `invalid`, with a pointer */
export function checkRegistration(worker: WorkerRegistration, ttlMs: number): void {
  checkName('workerId', worker.id, '/id');
  checkCount('/ttl', ttlMs, LIMITS.workerTtlMsMin, LIMITS.workerTtlMsMax);
  const { queues, types = [], labels = {}, host, pid, version } = worker;
  checkCount('/queues', queues.length, 1, LIMITS.workerQueuesMax);
  queues.forEach((queue, index) => checkQueueName(queue, `/queues/${index}`));
  checkCount('/types', types.length, 0, LIMITS.workerTypesMax);
  types.forEach((type, index) => checkName('type', type, `/types/${index}`));
  checkCount('/labels', Object.keys(labels).length, 0, LIMITS.workerLabelsMax);
  for (const [name, value] of Object.entries(labels)) {
    checkName('metadataKey', name, `/labels/${name}`);
    checkText(`/labels/${name}`, value);
  }
  checkText('/host', host);
  checkText('/version', version);
  if (pid !== undefined) checkCount('/pid', pid, 0, Number.MAX_SAFE_INTEGER);
  if (Buffer.byteLength(JSON.stringify(kept(worker))) <= LIMITS.workerBytesMax) return;
  throw new QueueError('invalid-request', {
    message: `A worker must not say more of itself than ${LIMITS.workerBytesMax} bytes of JSON.`,
    pointer: '',
  });
}

/** What a backend keeps of it: names once each, and nothing that was not given. */
export function kept(
  worker: WorkerRegistration,
): Omit<RegisteredWorker, 'registeredAt' | 'seenAt' | 'expiresAt'> {
  const { id, queues, types = [], labels = {}, host, pid, version } = worker;
  return {
    id,
    queues: [...new Set(queues)],
    types: [...new Set(types)],
    labels: { ...labels },
    ...(host !== undefined && { host }),
    ...(pid !== undefined && { pid }),
    ...(version !== undefined && { version }),
  };
}

/** Whether a list that asks so has this worker in it. */
export function matches(
  worker: RegisteredWorker,
  { queue, labels = {} }: { queue?: QueueName; labels?: Readonly<Record<string, string>> },
): boolean {
  return (
    (queue === undefined || worker.queues.includes(queue)) &&
    Object.entries(labels).every(([name, value]) => worker.labels[name] === value)
  );
}

function checkText(pointer: string, text: string | undefined): void {
  if (text === undefined || (typeof text === 'string' && text.length <= LIMITS.workerTextCharsMax)) return;
  throw new QueueError('invalid-request', {
    message: `${pointer.slice(1)} must be text of at most ${LIMITS.workerTextCharsMax} characters.`,
    pointer,
  });
}

/** Labels as one text, `gpu=a100,zone=eu`; `undefined` where it is none. */
export function parseLabels(text: string): Record<string, string> | undefined {
  const pairs = text
    .split(',')
    .map((pair) => pair.trim())
    .filter(Boolean)
    .map((pair) => /^([^=]+)=(.*)$/.exec(pair));
  const names = new Set(pairs.map((pair) => pair?.[1]));
  const good = pairs.every(
    (pair) =>
      pair && NAME_PATTERNS.metadataKey.test(pair[1]!) && pair[2]!.length <= LIMITS.workerTextCharsMax,
  );
  if (!good || pairs.length === 0 || pairs.length > LIMITS.workerLabelsMax || names.size !== pairs.length)
    return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]));
}
