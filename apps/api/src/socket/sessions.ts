import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { LIMITS, type Queue, type Registry, type WorkerCommand, type WorkerRegistration } from '@app/queue';
import { REGISTRY } from '../ports.module.js';
import { WorkerCommands } from '../workers/worker-commands.js';
import type { Assigner } from './assigner.js';
import { CLOSE_CODES } from './close-codes.js';
import type { Connection } from './connection.js';

/** How late a worker hears of a command. */
const LOOK_MS = 2_000;
/** How long a worker is taken to be there after the last sign of life, which its connection gives for it. */
const TTL_MS = 2 * LIMITS.workerTtlMsDefault;
const RENEWAL_MS = TTL_MS / 3;
/** A client's way of saying that it will not be back. */
const GOODBYE = 1000;

/** A worker, on its connection. */
interface Present {
  connection: Connection;
  assigner: Assigner;
  registration: WorkerRegistration;
  command?: WorkerCommand;
  renewedAtMs: number;
}

/** Which workers are on which connections of this process: gives their signs of life, and tells them what is wanted of them. */
@Injectable()
export class Sessions implements OnModuleDestroy {
  readonly #connections = new Map<string, Connection>();
  readonly #present = new Map<Connection, Present>();
  readonly #looks = setInterval(() => void this.#look(), LOOK_MS).unref();

  constructor(
    @Inject(REGISTRY) private readonly registry: Registry & Pick<Queue, 'capabilities'>,
    private readonly commands: WorkerCommands,
  ) {}

  /** Workers that are there. */
  get size(): number {
    return this.#present.size;
  }

  /** Closes an older connection of the same session, once it takes nothing more. */
  async claim(session: string, connection: Connection): Promise<void> {
    const older = this.#connections.get(session);
    if (!connection.isOpen || older === connection) return;
    this.#connections.set(session, connection);
    connection.onClose(() => {
      if (this.#connections.get(session) === connection) this.#connections.delete(session);
    });
    if (!older) return;
    older.close(...CLOSE_CODES.replaced);
    await older.worker?.stop();
  }

  /** Registers the worker for as long as its connection is open, where workers are listed. @returns what is wanted of it */
  async enter(
    connection: Connection,
    assigner: Assigner,
    registration: WorkerRegistration,
  ): Promise<WorkerCommand | undefined> {
    const command = await this.#register(registration);
    assigner.hold(command !== undefined);
    if (!connection.isOpen) return command;
    const renewedAtMs = performance.now();
    this.#present.set(connection, { connection, assigner, registration, command, renewedAtMs });
    connection.onClose((code) => {
      this.#present.delete(connection);
      // Otherwise it may be on another connection by now.
      if (code === GOODBYE && this.#areListed) {
        void this.registry.deregister(registration.id).catch(() => undefined);
      }
    });
    return command;
  }

  onModuleDestroy(): void {
    clearInterval(this.#looks);
  }

  async #look(): Promise<void> {
    for (const present of this.#present.values()) {
      this.#renew(present);
      this.#tell(present, await this.commands.of(present.registration.id));
    }
  }

  #renew(present: Present): void {
    const now = performance.now();
    if (now - present.renewedAtMs < RENEWAL_MS) return;
    present.renewedAtMs = now;
    void this.#register(present.registration).catch(() => undefined);
  }

  /** @returns what is wanted of the worker */
  async #register(registration: WorkerRegistration): Promise<WorkerCommand | undefined> {
    return this.#areListed ? (await this.registry.register(registration, TTL_MS)).command : undefined;
  }

  /** A backend that knows no workers has work for them all the same. */
  get #areListed(): boolean {
    return this.registry.capabilities().has('worker-registry');
  }

  #tell(present: Present, command: WorkerCommand | undefined): void {
    if (command === present.command) return;
    present.command = command;
    present.assigner.hold(command !== undefined);
    void present.connection.send({ type: 'told', body: { command } });
  }
}
