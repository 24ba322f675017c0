import { QueueError } from './errors.js';
import { LIMITS } from './limits.js';
import { checkName } from './names.js';
import { checkRetry } from './new-task.js';
import type { Extension, LeaseRequest, Settlement } from './ports/consumer.js';
import type { PurgeRequest, TaskChange } from './ports/operator.js';
import type { WorkerQuery } from './ports/registry.js';
import { HIGHEST_PRIORITY, LOWEST_PRIORITY } from './priority.js';
import { isTerminal } from './task.js';

/* What requests other than submissions must be like. All throw QueueError of kind `invalid`. */

export function checkLeaseRequest(request: LeaseRequest): void {
  checkName('queue', request.queue, '/queue');
  checkName('workerId', request.workerId, '/workerId');
  checkCount('/max', request.max, 0, LIMITS.leaseTasksMax);
  // Tokens and the memory of the request are built from it.
  if (request.requestId !== undefined) checkName('key', request.requestId, '/requestId');
  checkLeaseMs(request.leaseMs);
  checkTenants('/tenants', request.tenants ?? []);
  if (request.steal !== undefined && typeof request.steal !== 'boolean')
    checkTenants('/steal', request.steal);
}

function checkTenants(pointer: string, tenants: readonly string[]): void {
  checkCount(pointer, tenants.length, 0, LIMITS.leaseTenantsMax);
  tenants.forEach((tenant, index) => checkName('tenant', tenant, `${pointer}/${index}`));
}

export function checkLeaseMs(leaseMs: number): void {
  checkCount('/leaseMs', leaseMs, LIMITS.leaseMsMin, LIMITS.leaseMsMax);
}

export function checkSettlement(settlement: Settlement): void {
  if (settlement.action === 'complete') {
    checkBytes('/result', settlement.result, LIMITS.resultBytesMax);
  }
  if (settlement.action === 'release' && settlement.retryAfterMs !== undefined) {
    checkCount('/retryAfterMs', settlement.retryAfterMs, 0, LIMITS.retryAfterMsMax);
  }
  if (settlement.action === 'fail') {
    if (settlement.retryInMs !== undefined) {
      checkCount('/retryInMs', settlement.retryInMs, 0, LIMITS.retryDelayMsMax);
    }
    if (settlement.defaultRetry) checkRetry(settlement.defaultRetry);
  }
}

export function checkExtension(extension: Extension): void {
  checkBytes('/progress', extension.progress, LIMITS.progressBytesMax);
}

export function checkCount(pointer: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new QueueError('invalid-request', {
    message: `${pointer.slice(1)} must be an integer from ${min} to ${max}.`,
    pointer,
  });
}

function checkBytes(pointer: string, text: string | undefined, bytesMax: number): void {
  if (text === undefined || Buffer.byteLength(text) <= bytesMax) return;
  throw new QueueError('invalid-request', {
    message: `${pointer.slice(1)} must not be longer than ${bytesMax} bytes of JSON.`,
    pointer,
  });
}

export function checkPurge({ queue, state, tenant }: PurgeRequest): void {
  checkName('queue', queue, '/queue');
  if (state !== 'waiting' && state !== 'pending' && !isTerminal(state)) {
    throw new QueueError('invalid-request', {
      message: 'state must be waiting, pending or a terminal state.',
      pointer: '/state',
    });
  }
  if (tenant === undefined) return;
  checkName('tenant', tenant, '/tenant');
  if (state !== 'pending') {
    throw new QueueError('invalid-request', {
      message: 'A tenant can be named for pending tasks only.',
      pointer: '/tenant',
    });
  }
}

export function checkChange({ priority, runAtMs }: TaskChange): void {
  if (priority !== undefined) checkCount('/priority', priority, LOWEST_PRIORITY, HIGHEST_PRIORITY);
  if (runAtMs !== undefined) checkCount('/runAt', runAtMs, 0, Number.MAX_SAFE_INTEGER);
}

export function checkWorkerQuery({ limit, cursor, queue }: WorkerQuery): void {
  checkCount('/limit', limit, 1, LIMITS.listLimitMax);
  if (cursor !== undefined) checkName('workerId', cursor, '/cursor');
  if (queue !== undefined) checkName('queue', queue, '/queue');
}
