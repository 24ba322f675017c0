import { checkCount } from '../core/checks.js';
import { type ErrorCode, QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { checkName, splitTaskId } from '../core/names.js';
import type { OperateOutcome, Operator } from '../core/ports.js';
import type { QueueName, TaskId, TaskState } from '../core/task.js';
import { groupByQueue } from './by-queue.js';
import type { Client } from './connection.js';
import { queueKey } from './keys.js';
import { decodeRow, type Row } from './record.js';
import type { ScriptRunner } from './script-runner.js';
import { cancelScript, retryScript } from './scripts.generated.js';

export class RedisOperator implements Operator {
  constructor(
    private readonly client: Client,
    private readonly scripts: ScriptRunner,
    private readonly prefix: string,
  ) {}

  cancel(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.operate(cancelScript, ids);
  }

  retry(ids: readonly TaskId[]): Promise<OperateOutcome[]> {
    return this.operate(retryScript, ids);
  }

  async setWeight(queue: QueueName, tenant: string, weight: number): Promise<void> {
    checkName('queue', queue, '/queue');
    checkName('tenant', tenant, '/tenant');
    checkCount('/weight', weight, 1, LIMITS.weightMax);
    const key = queueKey(this.prefix, queue, 'weights');
    await this.scripts.patiently(() =>
      weight === 1 ? this.client.hdel(key, tenant) : this.client.hset(key, tenant, weight),
    );
  }

  private async operate(
    script: typeof cancelScript | typeof retryScript,
    ids: readonly TaskId[],
  ): Promise<OperateOutcome[]> {
    if (ids.length > LIMITS.batchTasksMax) {
      throw new QueueError('invalid-request', { message: `At most ${LIMITS.batchTasksMax} tasks at once.` });
    }
    const outcomes: OperateOutcome[] = Array.from({ length: ids.length });
    const groups = groupByQueue(ids);
    await Promise.all(
      [...groups].map(async ([queue, members]) => {
        const keys = members.map((index) => splitTaskId(ids[index]!).key);
        const reply = (await this.scripts.run(script, queue, {}, keys)) as (string | Row)[];
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

function refusal(code: ErrorCode, taskId: TaskId, state: TaskState): QueueError {
  if (code !== 'wrong-state') return new QueueError(code, { taskId });
  return new QueueError(code, { taskId, state, message: `The task is ${state}, which does not allow this.` });
}
