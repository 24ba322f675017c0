import type { QueueName } from './task.js';

/** What a worker says of itself. */
export interface WorkerRegistration {
  /** As in its lease requests: new for every process. */
  id: string;
  /** What it takes tasks from. What it does is looked for in these queues. At most `LIMITS.workerQueuesMax`. */
  queues: readonly QueueName[];
  /** Task types it has handlers for, at most `LIMITS.workerTypesMax`. */
  types?: readonly string[];
  /** The machine it runs on. */
  host?: string;
  /** Its process there. */
  pid?: number;
  /** Of its program. */
  version?: string;
  /** What else tells it apart, such as its GPU; at most `LIMITS.workerLabelsMax`. */
  labels?: Readonly<Record<string, string>>;
}

/** What an operator wants of a worker: that it takes no new tasks, or that it ends as well. */
export const WORKER_COMMANDS = ['quiet', 'terminate'] as const;
export type WorkerCommand = (typeof WORKER_COMMANDS)[number];

/** A worker that was heard of lately. */
export interface RegisteredWorker extends Required<
  Pick<WorkerRegistration, 'id' | 'queues' | 'types' | 'labels'>
> {
  host?: string;
  pid?: number;
  version?: string;
  /** Absent: it is to work. */
  command?: WorkerCommand;
  registeredAt: number;
  seenAt: number;
  /** From then on it is taken to be gone unless it is heard of again. */
  expiresAt: number;
}
