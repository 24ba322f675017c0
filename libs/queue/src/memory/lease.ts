import { LIMITS } from '../core/limits.js';
import type { Lease, LeaseRequest } from '../core/ports/consumer.js';
import { tenantsServed } from '../core/tenants-served.js';
import { nextStart, startsNow } from './allowance.js';
import { FIFO_LANE } from './lanes.js';
import { promoteDue } from './maintain.js';
import { type Asked, dueAt, type QueueState } from './queue-state.js';
import { viewLeased, type TaskRecord } from './record.js';
import { take } from './take.js';

/** Requests of a worker that are known to be used up. */
const USED_UP_KEPT = 4;

type Request = LeaseRequest & { requestId: string };

/** Takes the next tasks for a worker, or finds what this very request took before. */
export function lease(queue: QueueState, request: Request, now: number): Lease {
  promoteDue(queue, LIMITS.choreTasksMax, now);
  queue.lanes.rejoinDue(now);
  const only = onlyServed(request);
  const told = !only || queue.watch(only, now);
  const asked = askedBy(queue, request, now);
  const retaken = retake(queue, request, asked);
  const taken =
    retaken || asked.usedUp.includes(request.requestId) ? [] : takeNew(queue, request, asked, now);
  if (request.max === 0 && request.requestId !== '') useUp(queue, request, asked, now);

  // What was settled along with this has been offered here, if to everybody.
  if (!only || queue.isFifo) queue.freed = false;
  const offered = startsNow(queue, now) > 0 && !queue.lanes.isIdle;
  const tenant = only?.find((each) => queue.lanes.isInRing(each));
  const more = offered && (!only || tenant !== undefined);
  const startAt = nextStart(queue, now);
  // The token was taken to get here: whoever leaves work behind passes it on, as does who alone knows a time.
  if (more) queue.ring(tenant);
  else if (taken.length > 0 && startAt < Infinity) queue.ring();

  const next = queue.due()[0];
  const lookAt = told ? Infinity : now + LIMITS.unwatchedLookMs;
  const nextAt = Math.min(startAt, lookAt, next ? dueAt(next) : Infinity);
  return {
    tasks: (retaken ?? taken).map(viewLeased),
    more,
    nextDueInMs: nextAt === Infinity ? undefined : nextAt - now,
  };
}

/** The tenants of a worker that does not serve everybody. A FIFO queue, which has no others, is everybody's. */
function onlyServed(request: LeaseRequest): string[] | undefined {
  const tenants = tenantsServed(request);
  return tenants && [...tenants, FIFO_LANE.tenant];
}

/** What the worker asked for, as far as it is remembered. */
function askedBy(queue: QueueState, { workerId }: Request, now: number): Asked {
  const asked = queue.requests.get(workerId);
  return asked && now < asked.until ? asked : { took: [], usedUp: [], until: 0 };
}

function takeNew(queue: QueueState, request: Request, asked: Asked, now: number): TaskRecord[] {
  const { workerId, requestId, leaseMs } = request;
  const records = take(queue, request, Math.min(request.max, startsNow(queue, now)), now, (record) => {
    queue.start(record, workerId, tokenOf(requestId, record.key), leaseMs, now);
  });
  if (records.length > 0) {
    const keys = records.map(({ key }) => key);
    const took = [{ requestId, keys }, ...asked.took].slice(0, LIMITS.requestsKept);
    queue.requests.set(workerId, { ...asked, took, until: keptUntil(request, now) });
  }
  return records;
}

/** What a repeated request took the first time and still holds; `undefined` where it is no repeat. */
function retake(queue: QueueState, { requestId }: Request, asked: Asked): TaskRecord[] | undefined {
  const first = asked.took.find((each) => each.requestId === requestId);
  return first?.keys.flatMap((key) => {
    const record = queue.tasks.get(key);
    return record?.lease?.token === tokenOf(requestId, key) ? [record] : [];
  });
}

function useUp(queue: QueueState, request: Request, asked: Asked, now: number): void {
  const { workerId, requestId } = request;
  if (asked.usedUp.includes(requestId)) return;
  const usedUp = [requestId, ...asked.usedUp].slice(0, USED_UP_KEPT);
  queue.requests.set(workerId, { ...asked, usedUp, until: keptUntil(request, now) });
}

function keptUntil({ leaseMs }: Request, now: number): number {
  return now + Math.max(leaseMs, LIMITS.requestKeptMsMin);
}

function tokenOf(requestId: string, key: string): string {
  return `${requestId}.${key}`;
}
