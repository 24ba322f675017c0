import { setTimeout as delay } from 'node:timers/promises';
import { openSocket, type AssignedTask, type SocketClient, type SocketMessage } from './socket.js';

interface Options {
  workerId: string;
  queue: string;
  slots: number;
  /** Told of every execution; resolves when it has ended. */
  execute: (task: AssignedTask) => Promise<void>;
}

/**
 * A worker on a socket as docs/websocket.md tells one to be written: it goes on at another address when its connection is
 * cut, keeps what it holds, and repeats what was not answered.
 */
export class SocketWorker {
  /** Outcomes of settlements, as they were answered. */
  readonly settled: { id: string; state?: string; problem?: { code: string } }[] = [];
  readonly #unsettled = new Map<string, AssignedTask>();
  readonly #running = new Set<string>();
  #client?: SocketClient;
  #session?: string;
  #received = 0;
  #stopped = false;

  constructor(
    private urls: readonly string[],
    private readonly options: Options,
  ) {}

  /** Runs until `stop`. */
  async run(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn++) {
      try {
        await this.#connect(this.urls[turn % this.urls.length]!);
      } catch {
        await delay(20);
      }
    }
  }

  get url(): string | undefined {
    return this.#client?.ws.url;
  }

  cut(): void {
    this.#client?.cut();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#client?.ws.close(1000);
    await this.#client?.closed;
  }

  async #connect(url: string): Promise<void> {
    const { workerId, queue } = this.options;
    const client = await openSocket(url);
    this.#client = client;
    if (this.#stopped) return client.cut();
    const registered = await client.ask<{ session: string; received: number }>('register', {
      workerId,
      queues: [queue],
      resume: this.#session && { session: this.#session, received: this.#received },
    });
    if (registered.type !== 'registered') throw new Error(JSON.stringify(registered.body));
    this.#session = registered.body.session;
    this.#received = registered.body.received;
    client.ws.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as SocketMessage<{ number: number; items: AssignedTask[] }>;
      // What comes after the connection was given up would be taken for given back.
      if (message.type === 'assigned' && client === this.#client) this.#take(message.body);
    });
    const again = [...this.#unsettled.values()];
    if (again.length > 0) await this.#settle(client, again);
    this.#credit(client);
    await client.closed;
  }

  #take({ number, items }: { number: number; items: AssignedTask[] }): void {
    this.#received = number;
    for (const task of items) {
      this.#running.add(task.id);
      void this.options.execute(task).then(() => {
        this.#running.delete(task.id);
        this.#unsettled.set(task.id, task);
        return this.#settle(this.#client!, [task]).catch(() => undefined);
      });
    }
    this.#credit(this.#client!);
  }

  async #settle(client: SocketClient, tasks: readonly AssignedTask[]): Promise<void> {
    const settlements = tasks.map(({ id, leaseToken }) => ({ id, leaseToken, action: 'complete' }));
    const { type, body } = await client.ask<{ outcomes: { id: string }[] }>('settle', {
      settlements,
      credit: { received: this.#received, free: this.#free },
    });
    if (type !== 'settled') return;
    for (const { id } of tasks) this.#unsettled.delete(id);
    this.settled.push(...body.outcomes);
  }

  #credit(client: SocketClient): void {
    client.ask('credit', { received: this.#received, free: this.#free }).catch(() => undefined);
  }

  get #free(): number {
    return this.options.slots - this.#running.size;
  }
}
