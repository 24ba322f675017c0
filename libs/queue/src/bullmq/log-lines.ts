import type { JobJson } from 'bullmq';
import type { LogLine } from '../core/task.js';
import { attemptOf } from './job-view.js';

/** `<time> #<attempt> <message>`: readable wherever BullMQ's logs are shown. */
const PATTERN = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) #(\d+) (.*)$/s;

export function writeLine(job: JobJson, message: string, now: number): string {
  return `${new Date(now).toISOString()} #${attemptOf(job, true)} ${message}`;
}

/** A line of somebody else's says no time: it is put at the start of the job's latest attempt. */
export function readLine(job: JobJson, line: string): LogLine {
  const [, at, attempt, message] = PATTERN.exec(line) ?? [];
  if (at !== undefined) return { at: Date.parse(at), attempt: Number(attempt), message: message! };
  return { at: job.processedOn ?? job.timestamp, attempt: Math.max(1, attemptOf(job, false)), message: line };
}
