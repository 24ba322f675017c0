import { checkQueueSettings, checkTenantSettings } from '../core/check-settings.js';
import { checkChange, checkPurge } from '../core/checks.js';
import { type ErrorCode, QueueError, wrongState } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName, splitTaskId } from '../core/names.js';
import type { ChoreResult } from '../core/ports/maintainer.js';
import type { OperateOutcome, Operator, PurgeRequest, TaskChange } from '../core/ports/operator.js';
import type { QueueSettings, TenantSettings } from '../core/settings.js';
import type { QueueName, TaskId, TaskState } from '../core/task.js';
import { groupByQueue } from './by-queue.js';
import type { Directory } from './directory.js';
import { decodeRow, type Row } from './record.js';
import type { ScriptRunner } from './script-runner.js';
import {
  cancelScript,
  configureScript,
  deleteScript,
  gateScript,
  purgeScript,
  removeScript,
  retryScript,
  updateScript,
} from './scripts.generated.js';

export class RedisOperator implements Operator {
  constructor(
    private readonly scripts: ScriptRunner,
    private readonly directory: Directory,
  ) {}

  cancel(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.operate(cancelScript, ids);
  }

  retry(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.operate(retryScript, ids);
  }

  async update(changes: readonly TaskChange[]): Promise<OperateOutcome[]> {
    for (const change of changes) checkChange(change);
    const ids = changes.map(({ id }) => id);
    return this.operate(updateScript, ids, (index) => {
      const { priority, runAtMs } = changes[index]!;
      return [priority ?? '', runAtMs ?? ''];
    });
  }

  remove(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.operate(removeScript, ids);
  }

  async configure(queue: QueueName, settings: QueueSettings): Promise<void> {
    checkQueueSettings(settings);
    await this.applySettings(queue, '', JSON.stringify(settings));
  }

  async configureTenant(queue: QueueName, tenant: string, settings: TenantSettings): Promise<void> {
    checkName('tenant', tenant, '/tenant');
    checkTenantSettings(settings);
    const text = JSON.stringify(settings);
    await this.applySettings(queue, tenant, text === '{}' ? '' : text);
  }

  pause(queue: QueueName, tenant?: string): Promise<void> {
    return this.turnGate(queue, 'pause', tenant);
  }

  resume(queue: QueueName, tenant?: string): Promise<void> {
    return this.turnGate(queue, 'resume', tenant);
  }

  drain(queue: QueueName): Promise<void> {
    return this.turnGate(queue, 'drain');
  }

  async purge(request: PurgeRequest): Promise<ChoreResult> {
    checkPurge(request);
    const { queue, state, tenant = '' } = request;
    const [count, more] = (await this.scripts.run(purgeScript, queue, { state, tenant })) as [number, number];
    if (count >= 0) return { count, more: more === 1 };
    throw new QueueError('invalid-request', {
      message: 'A queue in FIFO mode does not tell tenants apart.',
      pointer: '/tenant',
    });
  }

  async deleteQueue(queue: QueueName): Promise<ChoreResult> {
    checkName('queue', queue, '/queue');
    const reply = (await this.scripts.run(deleteScript, queue, {})) as string | [number, number];
    if (typeof reply === 'string') throw new QueueError('queue-not-empty');
    return { count: reply[0], more: reply[1] === 1 };
  }

  private async applySettings(queue: QueueName, tenant: string, settings: string): Promise<void> {
    checkName('queue', queue, '/queue');
    await this.directory.addQueue(queue);
    const reply = await this.scripts.run(configureScript, queue, { tenant, settings });
    if (reply !== 'done') throw new QueueError(reply as ErrorCode);
  }

  private async turnGate(queue: QueueName, action: string, tenant?: string): Promise<void> {
    checkName('queue', queue, '/queue');
    if (tenant !== undefined) checkName('tenant', tenant, '/tenant');
    await this.directory.addQueue(queue);
    await this.scripts.run(gateScript, queue, { action, tenant: tenant ?? '' });
  }

  /** @param valuesOf what the script is given about a task beside its key */
  private async operate(
    script: typeof cancelScript,
    ids: readonly TaskId[],
    valuesOf: (index: number) => (string | number)[] = () => [],
  ): Promise<OperateOutcome[]> {
    if (ids.length > LIMITS.batchTasksMax) {
      throw new QueueError('invalid-request', { message: `At most ${LIMITS.batchTasksMax} tasks at once.` });
    }
    const outcomes: OperateOutcome[] = Array.from({ length: ids.length });
    const slices = [...groupByQueue(ids)].flatMap(([queue, members]) => slicesOf(queue, members));
    await Promise.all(
      slices.map(async ({ queue, members }) => {
        const each = members.flatMap((index) => [splitTaskId(ids[index]!).key, ...valuesOf(index)]);
        const reply = (await this.scripts.run(script, queue, {}, each)) as (string | Row)[];
        members.forEach((member, i) => {
          const [code, state, row] = reply.slice(i * 3, i * 3 + 3) as [string, TaskState, Row];
          const taskId = ids[member]!;
          outcomes[member] =
            code === 'done'
              ? { status: 'done', task: decodeRow(queue, row) }
              : { status: 'refused', error: refusal(code as ErrorCode, taskId, state) };
        });
      }),
    );
    return outcomes;
  }
}

/** Sent one after the other without waiting, they are done in this order. */
function slicesOf(queue: QueueName, members: readonly number[]) {
  const { operatedTasksMax: most } = LIMITS;
  return Array.from({ length: Math.ceil(members.length / most) }, (_, i) => ({
    queue,
    members: members.slice(i * most, (i + 1) * most),
  }));
}

function refusal(code: ErrorCode, taskId: TaskId, state: TaskState): QueueError {
  return code === 'wrong-state' ? wrongState(taskId, state) : new QueueError(code, { taskId });
}
