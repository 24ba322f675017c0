import { createHash, randomBytes } from 'node:crypto';
import type { JobJson } from 'bullmq';

/**
 * What a worker settles with: the token of BullMQ's lock, and what the job's counts were when it was leased. They tell later
 * whether the job has been started, failed or taken away since, which the lock, once it is gone, does not.
 */
export interface LeaseToken {
  /** The same for all jobs of one lease. */
  lock: string;
  started: number;
  made: number;
  stalled: number;
}

const PATTERN = /^([\w-]{22})\.(\d{1,9})\.(\d{1,9})\.(\d{1,9})\.([\w-]{8})$/;

/** The lock of one lease request: unguessable, and the same again for a repeat of the request. */
export function lockOf(queue: string, workerId: string, requestId: string | undefined): string {
  if (requestId === undefined) return randomBytes(16).toString('base64url');
  return digest(`${queue}\n${workerId}\n${requestId}`, 22);
}

export function writeToken(lock: string, jobId: string, job: JobJson): string {
  return [lock, job.attemptsStarted, job.attemptsMade, job.stalledCounter, markOf(lock, jobId)].join('.');
}

/** `undefined` for what is no token, or that of another job. */
export function readToken(text: string, jobId: string): LeaseToken | undefined {
  const [, lock, started, made, stalled, mark] = PATTERN.exec(text) ?? [];
  if (lock === undefined || mark !== markOf(lock, jobId)) return undefined;
  return { lock, started: Number(started), made: Number(made), stalled: Number(stalled) };
}

/** What BullMQ shows as the name of the worker: who it is, and a fingerprint of the lock by which it is known again. */
export function processedBy(workerId: string, lock: string): string {
  return `${workerId}~${digest(lock, 16)}`;
}

const FINGERPRINT = /~[\w-]{16}$/;

/** The worker that has a job, or had it last. */
export function workerOf({ processedBy: name }: JobJson): string | undefined {
  return name?.replace(FINGERPRINT, '');
}

/** Whether it was leased here, and not taken by a worker of BullMQ's. */
export function isOurs({ processedBy: name }: JobJson): boolean {
  return name !== undefined && FINGERPRINT.test(name);
}

/** Whether nobody has started the job since it was leased with this token. */
export function isLatest({ lock, started }: LeaseToken, job: JobJson): boolean {
  return job.attemptsStarted === started && job.processedBy?.endsWith(`~${digest(lock, 16)}`) === true;
}

function markOf(lock: string, jobId: string): string {
  return digest(`${lock}\n${jobId}`, 8);
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, length);
}
