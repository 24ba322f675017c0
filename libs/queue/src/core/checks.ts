import { QueueError } from './errors.js';
import { LIMITS } from './limits.js';
import { checkName } from './names.js';
import { checkRetry } from './new-task.js';
import type { Extension, LeaseRequest, Settlement } from './ports.js';

/* What requests other than submissions must be like. All throw QueueError of kind `invalid`. */

export function checkLeaseRequest(request: LeaseRequest): void {
  checkName('queue', request.queue, '/queue');
  checkName('workerId', request.workerId, '/workerId');
  checkCount('/max', request.max, 0, LIMITS.leaseTasksMax);
  // Tokens and the memory of the request are built from it.
  if (request.requestId !== undefined) checkName('key', request.requestId, '/requestId');
  checkLeaseMs(request.leaseMs);
}

export function checkLeaseMs(leaseMs: number): void {
  checkCount('/leaseMs', leaseMs, LIMITS.leaseMsMin, LIMITS.leaseMsMax);
}

export function checkSettlement(settlement: Settlement): void {
  if (settlement.action === 'complete') {
    checkBytes('/result', settlement.result, LIMITS.resultBytesMax);
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
