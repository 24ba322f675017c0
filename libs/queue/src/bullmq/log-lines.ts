import type { IQueueBackend, JobJson } from 'bullmq';
import { LIMITS } from '../core/limits.js';
import { storedLines } from '../core/report.js';
import type { LogLine } from '../core/task.js';
import { eventsKept, LOGS_EVENT } from './event-stream.js';
import { attemptOf } from './job-view.js';

/** `<time> #<attempt> <message>`: readable wherever BullMQ's logs are shown. */
const PATTERN = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) #(\d+) (.*)$/s;

/**
 * Writes lines of a job that is held, and says so by an event of our own, since BullMQ has none for them. The lines of one
 * call have a time of their own in their attempt, by which whoever hears of them finds them.
 */
export async function addLines(
  backend: IQueueBackend,
  jobId: string,
  job: JobJson,
  logs: readonly string[],
): Promise<void> {
  const lines = storedLines(logs);
  if (lines.length === 0) return;
  const [[latest], kept] = await Promise.all([readLines(backend, jobId, job, 1), eventsKept(backend)]);
  const attempt = attemptOf(job, true);
  const at = Math.max(Date.now(), latest?.attempt === attempt ? latest.at + 1 : 0);
  for (const line of lines) {
    await backend.addLog(jobId, `${new Date(at).toISOString()} #${attempt} ${line}`, job.opts.keepLogs);
  }
  await backend.publishEvent({ event: LOGS_EVENT, jobId, at, attempt, lines: lines.length }, kept);
}

/** The latest lines of a job, oldest first. Somebody else's may be without a bound. */
export async function readLines(
  backend: IQueueBackend,
  jobId: string,
  job: JobJson,
  most: number = LIMITS.logLinesKept,
): Promise<LogLine[]> {
  const { logs } = await backend.getJobLogs(jobId, 0, most - 1, false);
  return logs.map((line) => readLine(job, line)).reverse();
}

/** Those that were written at once, as far as they are kept. */
export async function readLinesOf(
  backend: IQueueBackend,
  jobId: string,
  job: JobJson,
  { at, attempt, count }: { at: number; attempt: number; count: number },
): Promise<LogLine[]> {
  const isOne = (line: LogLine) => line.at === at && line.attempt === attempt;
  const latest = await readLines(backend, jobId, job, count);
  return latest.every(isOne) ? latest : (await readLines(backend, jobId, job)).filter(isOne);
}

/** A line of somebody else's says no time: it is put at the start of the job's latest attempt. */
function readLine(job: JobJson, line: string): LogLine {
  const [, at, attempt, message] = PATTERN.exec(line) ?? [];
  if (at !== undefined) return { at: Date.parse(at), attempt: Number(attempt), message: message! };
  return { at: job.processedOn ?? job.timestamp, attempt: Math.max(1, attemptOf(job, false)), message: line };
}
