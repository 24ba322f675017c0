import type { QueueName } from '../task.js';
import type { RegisteredWorker, WorkerCommand, WorkerRegistration } from '../worker.js';

export interface WorkerQuery {
  /** 1 to `LIMITS.listLimitMax`. */
  limit: number;
  /** Those after this id. */
  cursor?: string;
  /** Only those that take tasks from this queue. */
  queue?: QueueName;
  /** Only those that have these labels. */
  labels?: Readonly<Record<string, string>>;
}

export interface WorkerPage {
  /** By id. */
  items: RegisteredWorker[];
  /** Absent at the end. A page may be short, even empty, and have one: a bounded number is looked at. */
  nextCursor?: string;
}

/** Who works. Whoever is not heard of for a while is gone; what it had leased is the reaper's business. */
export interface Registry {
  /**
   * Registers a worker for `ttlMs`, to be repeated before that is over, and answers what an operator wants of it. What it
   * says replaces what it said before. One that was gone begins anew: nothing is wanted of it.
   *
   * @throws QueueError kind `invalid`; `too-many-workers`
   */
  register(worker: WorkerRegistration, ttlMs: number): Promise<RegisteredWorker>;
  /** The worker says goodbye. Whether it was registered. */
  deregister(id: string): Promise<boolean>;
  /** Tells a worker, by its next `register`, to take no new tasks or to end; without a command, to work. `undefined`: no such worker. */
  tell(id: string, command?: WorkerCommand): Promise<RegisteredWorker | undefined>;
  /** `undefined` where it is not registered. */
  worker(id: string): Promise<RegisteredWorker | undefined>;
  /** Work per page is bounded however many there are. */
  workers(query: WorkerQuery): Promise<WorkerPage>;
  /** What is wanted of all those who are not simply to work, by id; some may be gone already. */
  commands(): Promise<ReadonlyMap<string, WorkerCommand>>;
}
