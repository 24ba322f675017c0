import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import {
  Announcer,
  Chores,
  DEFAULT_QUEUE,
  Presence,
  QueueError,
  QueueWatch,
  Runner,
  troubleOf,
  type HandlerTable,
  type Queue,
  type QueueName,
  type WorkerCommand,
} from '@app/queue';
import type { HealthCheck, Logger, Metrics } from '@app/runtime';
import { meterInto } from './meter.js';
import type { WorkerSettings } from './worker.settings.js';

export interface WorkerParts {
  queue: Queue;
  handlers: HandlerTable;
  settings: Pick<
    WorkerSettings,
    | 'queues'
    | 'tenants'
    | 'steal'
    | 'concurrency'
    | 'leaseMs'
    | 'timeoutMs'
    | 'drainTimeoutMs'
    | 'labels'
    | 'version'
  >;
  log: Logger;
  metrics: Metrics;
  /** Default: made of host, process and chance. */
  workerId?: string;
  /** An operator wants the worker to end: whoever started it is to stop it. */
  onTerminate?: () => void;
}

/** Queues and types that a worker registers with; more would only fill the list. */
const SHOWN_MAX = 100;

/** A worker process without its process: runner, chores and what they need, as one thing to start and stop. */
export class Worker {
  readonly runner: Runner;
  readonly workerId: string;
  readonly #chores: Chores;
  readonly #announcer: Announcer;
  readonly #presence: Presence;
  readonly #watch?: QueueWatch;
  #started = false;

  constructor(private readonly parts: WorkerParts) {
    const { queue, handlers, settings, log } = parts;
    const meter = meterInto(parts.metrics);
    this.workerId = parts.workerId ?? makeWorkerId();
    const own = [...new Set([DEFAULT_QUEUE, ...handlers.queues()])];
    if (settings.queues?.includes('*')) {
      this.#watch = new QueueWatch({
        inspector: queue,
        always: own,
        onAdded: (added) => this.runner.queuesChanged(added),
        meter,
        log,
      });
    }
    const watch = this.#watch;
    const { tenants, steal, concurrency, leaseMs, timeoutMs } = settings;
    const queues = (): readonly QueueName[] => watch?.names ?? settings.queues ?? own;
    this.runner = new Runner({
      queue,
      handlers,
      queues,
      tenants,
      steal,
      concurrency,
      leaseMs,
      timeoutMs,
      workerId: this.workerId,
      meter,
      log,
    });
    this.#chores = new Chores({ queue, holder: this.workerId, meter, log });
    this.#announcer = new Announcer({ consumer: queue, routes: handlers.routes(), meter, log });
    this.#presence = new Presence({
      registry: queue,
      describe: () => ({
        id: this.workerId,
        host: hostname(),
        pid: process.pid,
        queues: queues().slice(0, SHOWN_MAX),
        types: handlers.types().slice(0, SHOWN_MAX),
        labels: settings.labels,
        version: settings.version,
      }),
      onCommand: (command) => this.#obey(command),
      ttlMs: leaseMs,
      meter,
      log,
    });
  }

  /** Begins to work. The queue must be open. */
  start(): void {
    const { queue, handlers, settings, log } = this.parts;
    this.#started = true;
    this.#announcer.start();
    if (queue.capabilities().has('worker-registry')) this.#presence.start();
    this.#watch?.start();
    this.runner.start();
    this.#chores.start();
    log.info(
      {
        workerId: this.workerId,
        queues: settings.queues ?? 'default and those of the handlers',
        tenants: inWords(settings),
        types: handlers.types(),
        concurrency: settings.concurrency,
      },
      'working',
    );
  }

  /** Takes no more tasks and lets those that run finish, within limits. See `Runner.drain`. */
  async drain({ crashed = false }: { crashed?: boolean } = {}): Promise<void> {
    const { drainTimeoutMs } = this.parts.settings;
    await Promise.all([this.#watch?.stop(), this.runner.drain(drainTimeoutMs, { crashed })]);
  }

  /** Stops what goes on beside tasks. */
  async stopChores(): Promise<void> {
    await Promise.all([this.#announcer.stop(), this.#presence.stop(), this.#chores.stop()]);
  }

  #obey(command: WorkerCommand | undefined): void {
    this.parts.log.info({ command: command ?? 'resume' }, 'an operator asked for it');
    this.runner.quiet = command !== undefined;
    if (command === 'terminate') this.parts.onTerminate?.();
  }

  /** What must hold for the worker to be of use. */
  readiness(): HealthCheck[] {
    return [
      {
        name: 'store',
        check: async () => {
          try {
            await this.parts.queue.probe();
            return { ok: true };
          } catch (error) {
            return { ok: false, detail: error instanceof QueueError ? troubleOf(error) : 'failed' };
          }
        },
      },
      {
        name: 'runner',
        check: async () => {
          if (!this.#started) return { ok: false, detail: 'not started' };
          const { busy, total, draining, stale } = this.runner.status;
          if (draining) return { ok: false, detail: `draining, ${busy} left` };
          return { ok: !stale, detail: stale ? 'its loops are overdue' : `${busy} of ${total} slots busy` };
        },
      },
    ];
  }
}

/** Whom a worker serves, in order. */
function inWords({ tenants, steal }: Pick<WorkerSettings, 'tenants' | 'steal'>): string {
  const others = steal === true ? 'everybody' : (steal || []).join(', ');
  return [tenants.join(', '), others].filter(Boolean).join('; then ');
}

function makeWorkerId(): string {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 80);
  return `${host}:${process.pid}:${randomBytes(4).toString('hex')}`;
}
