import { checkWorkerQuery } from '../core/checks.js';
import { type ErrorCode, QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName } from '../core/names.js';
import type { Registry, WorkerPage, WorkerQuery } from '../core/ports/registry.js';
import { checkRegistration, kept, matches } from '../core/registration.js';
import type { RegisteredWorker, WorkerCommand, WorkerRegistration } from '../core/worker.js';
import type { Client } from './connection.js';
import { REGISTRY, registryKey } from './keys.js';
import type { ScriptRunner } from './script-runner.js';
import { deregisterScript, registerScript, tellScript, workersScript } from './scripts.generated.js';

/** A worker as registry.lua reads it. */
type Row = [id: string, record: string, deadline: string, command: WorkerCommand | ''];

export class RedisRegistry implements Registry {
  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly prefix: string,
  ) {}

  async register(worker: WorkerRegistration, ttlMs: number): Promise<RegisteredWorker> {
    checkRegistration(worker, ttlMs);
    const { id, ...description } = kept(worker);
    const args = { id, ttl_ms: ttlMs, description: JSON.stringify(description) };
    const reply = (await this.scripts.run(registerScript, REGISTRY, args)) as Row | ErrorCode;
    if (typeof reply === 'string') throw new QueueError(reply);
    return decodeWorker(reply);
  }

  async deregister(id: string): Promise<boolean> {
    checkName('workerId', id, '/id');
    return (await this.scripts.run(deregisterScript, REGISTRY, { id })) === 1;
  }

  async tell(id: string, command?: WorkerCommand): Promise<RegisteredWorker | undefined> {
    checkName('workerId', id, '/id');
    const reply = await this.scripts.run(tellScript, REGISTRY, { id, command: command ?? '' });
    return reply === '' ? undefined : decodeWorker(reply as Row);
  }

  async worker(id: string): Promise<RegisteredWorker | undefined> {
    checkName('workerId', id, '/id');
    return (await this.read({ after: '', limit: 1 }, [id])).workers[0];
  }

  async workers(query: WorkerQuery): Promise<WorkerPage> {
    checkWorkerQuery(query);
    const { limit, cursor = '', queue, labels } = query;
    const looks = queue === undefined && labels === undefined ? limit : LIMITS.listExaminedMax;
    const { workers, last } = await this.read({ after: cursor, limit: looks });
    const found = workers.filter((worker) => matches(worker, query));
    const items = found.slice(0, limit);
    const nextCursor = found.length > limit ? items.at(-1)?.id : last;
    return nextCursor === undefined ? { items } : { items, nextCursor };
  }

  async commands(): Promise<ReadonlyMap<string, WorkerCommand>> {
    const key = registryKey(this.prefix, 'workerCommands');
    const commands = await this.scripts.patiently(() => this.client.hgetall(key));
    return new Map(Object.entries(commands) as [string, WorkerCommand][]);
  }

  private async read(
    page: { after: string; limit: number },
    named: readonly string[] = [],
  ): Promise<{ workers: RegisteredWorker[]; last?: string }> {
    const reply = await this.scripts.run(workersScript, REGISTRY, page, named);
    const [last, ...rows] = reply as [string, ...Row[]];
    return { workers: rows.map(decodeWorker), ...(last !== '' && { last }) };
  }
}

function decodeWorker([id, record, deadline, command]: Row): RegisteredWorker {
  const [, registeredAt, seenAt, description] = /^(\d+) (\d+) (.*)$/s.exec(record)!;
  return {
    id,
    ...(JSON.parse(description!) as Omit<RegisteredWorker, 'id'>),
    ...(command !== '' && { command }),
    registeredAt: Number(registeredAt),
    seenAt: Number(seenAt),
    expiresAt: Number(deadline),
  };
}
