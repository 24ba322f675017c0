import { LIMITS } from '../core/limits.js';
import type { Lease, LeaseRequest } from '../core/ports.js';
import { promoteDue } from './maintain.js';
import { dueAt, type QueueState } from './queue-state.js';
import { viewLeased, type TaskRecord } from './record.js';

/** Takes the next tasks for a worker, or finds what this very request took before. */
export function lease(queue: QueueState, request: LeaseRequest & { requestId: string }, now: number): Lease {
  promoteDue(queue, LIMITS.choreTasksMax, now);
  const records = request.max === 0 ? [] : (retake(queue, request, now) ?? take(queue, request, now));
  const more = !queue.lanes.isEmpty;
  // The token was taken to get here: whoever leaves work behind passes it on.
  if (more) queue.ring();
  const next = queue.due()[0];
  return { tasks: records.map(viewLeased), more, nextDueInMs: next && dueAt(next) - now };
}

function take(queue: QueueState, request: LeaseRequest & { requestId: string }, now: number): TaskRecord[] {
  const { workerId, requestId, leaseMs, max } = request;
  const records = queue.lanes.take(max, (record) => {
    const overdue = record.mayExpire && (record.task.expiresAt ?? Infinity) <= now;
    if (overdue) queue.end(record, 'expired', now);
    return !overdue;
  });
  records.forEach((record, index) => {
    queue.start(record, workerId, tokenOf(requestId, index), leaseMs, now);
  });
  if (records.length > 0) {
    queue.requests.set(workerId, { requestId, until: now + leaseMs, keys: records.map(({ key }) => key) });
  }
  return records;
}

/** What a repeated request took the first time and still holds; `undefined` where it is no repeat. */
function retake(
  queue: QueueState,
  request: LeaseRequest & { requestId: string },
  now: number,
): TaskRecord[] | undefined {
  const earlier = queue.requests.get(request.workerId);
  if (!earlier || earlier.requestId !== request.requestId || now >= earlier.until) return undefined;
  return earlier.keys.flatMap((key, index) => {
    const record = queue.tasks.get(key);
    return record?.lease?.token === tokenOf(request.requestId, index) ? [record] : [];
  });
}

function tokenOf(requestId: string, index: number): string {
  return `${requestId}.${index}`;
}
