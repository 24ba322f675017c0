import { type ErrorCode, QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { retryAfterOf } from '../core/settings.js';
import { taskId } from '../core/names.js';
import { checkNewTask } from '../core/new-task.js';
import type { EnqueueOutcome, NewTask, Producer } from '../core/ports/producer.js';
import { DEFAULT_PRIORITY } from '../core/priority.js';
import type { QueueName } from '../core/task.js';
import { Coalescer } from './coalescer.js';
import type { Directory } from './directory.js';
import { KeyMaker } from './key-maker.js';
import { acceptedFrom, acceptedTask, encodeBody, SEPARATOR } from './record.js';
import type { ScriptRunner } from './script-runner.js';
import { enqueueScript } from './scripts.generated.js';

/** A task on its way in: its identity is made once, before anything is sent, so that sending can be repeated. */
interface Submission {
  task: NewTask;
  key: string;
  body: string;
}

/** An index, a code, a key and a record for each task that was not stored. */
const REFUSAL_WIDTH = 4;

export class RedisProducer implements Producer {
  private readonly keys = new KeyMaker();
  private readonly coalescer = new Coalescer<Submission, EnqueueOutcome>(
    (queue, submissions) => this.send(queue, submissions, false),
    ({ body }) => body.length,
  );

  constructor(
    private readonly scripts: ScriptRunner,
    private readonly directory: Directory,
  ) {}

  async enqueue(
    tasks: readonly NewTask[],
    { atomic = false }: { atomic?: boolean } = {},
  ): Promise<EnqueueOutcome[]> {
    if (tasks.length > LIMITS.batchTasksMax) {
      throw new QueueError('invalid-request', {
        message: `A batch has at most ${LIMITS.batchTasksMax} tasks; this one has ${tasks.length}.`,
      });
    }
    for (const task of tasks) checkNewTask(task);
    const named = tasks[0]?.queue;
    if (named !== undefined && tasks.every(({ queue }) => queue === named)) {
      return this.submit(named, tasks, atomic);
    }
    const groups = await this.group(tasks);
    if (atomic && groups.size > 1) throw new QueueError('batch-spans-queues');
    const outcomes: EnqueueOutcome[] = Array.from({ length: tasks.length });
    await Promise.all(
      [...groups].map(async ([queue, members]) => {
        const replies = await this.submit(
          queue,
          members.map((index) => tasks[index]!),
          atomic,
        );
        replies.forEach((reply, i) => {
          outcomes[members[i]!] = reply;
        });
      }),
    );
    return outcomes;
  }

  queueOf(type: string): Promise<QueueName> {
    return this.directory.queueOf(type);
  }

  /** Indexes of the tasks by the queue they go to. */
  private async group(tasks: readonly NewTask[]): Promise<Map<QueueName, number[]>> {
    const groups = new Map<QueueName, number[]>();
    for (const [index, task] of tasks.entries()) {
      const queue = task.queue ?? (await this.directory.queueOf(task.type));
      const members = groups.get(queue);
      if (members) members.push(index);
      else groups.set(queue, [index]);
    }
    return groups;
  }

  private async submit(
    queue: QueueName,
    tasks: readonly NewTask[],
    atomic: boolean,
  ): Promise<EnqueueOutcome[]> {
    if (!this.directory.has(queue)) await this.directory.addQueue(queue);
    const submissions = tasks.map((task) => ({
      task,
      key: task.key ?? this.keys.next(),
      body: encodeBody(task),
    }));
    return atomic ? this.send(queue, submissions, true) : this.coalescer.add(queue, submissions);
  }

  private async send(
    queue: QueueName,
    submissions: Submission[],
    atomic: boolean,
  ): Promise<EnqueueOutcome[]> {
    const each: string[] = [];
    let before: Submission | undefined;
    for (const submission of submissions) {
      const { task, key, body } = submission;
      each.push(key, before && saysTheSame(task, before.task) ? '' : termsOf(task), body);
      before = submission;
    }
    const [now, startedLastMinute, ...refusals] = (await this.scripts.run(
      enqueueScript,
      queue,
      { atomic: atomic ? 1 : 0 },
      each,
    )) as [number, number, ...(string | number)[]];
    const outcomes = submissions.map(({ task, key }): EnqueueOutcome => {
      return { status: 'accepted', task: acceptedFrom(queue, key, task, now) };
    });
    let refused: EnqueueOutcome | undefined;
    for (let i = 0; i < refusals.length; i += REFUSAL_WIDTH) {
      const [index, code, key, record] = refusals.slice(i, i + REFUSAL_WIDTH) as [
        number,
        string,
        string,
        string,
      ];
      const outcome = notStored(queue, code, key, record, startedLastMinute);
      if (outcome.status === 'refused') refused ??= outcome;
      outcomes[index] = outcome;
    }
    if (!atomic || !refused) return outcomes;
    const first = refused;
    return outcomes.map((outcome) => (outcome.status === 'accepted' ? first : outcome));
  }
}

function notStored(
  queue: QueueName,
  code: string,
  key: string,
  record: string,
  startedLastMinute: number,
): EnqueueOutcome {
  if (code === 'replayed') return { status: 'replayed', task: acceptedTask(queue, key, record) };
  const retryAfterMs = code === 'backlog-full' ? retryAfterOf(startedLastMinute) : undefined;
  const data = { taskId: taskId(queue, key), retryAfterMs };
  return { status: 'refused', error: new QueueError(code as ErrorCode, data) };
}

/** As enqueue.lua reads them: the priority, and what few tasks have. Each argument costs Redis and us 0.3 us a task. */
function termsOf(task: NewTask): string {
  const { priority = DEFAULT_PRIORITY, idempotency, ttlMs = '' } = task;
  const due = dueOf(task);
  if (!idempotency && ttlMs === '' && due === '') return String(priority);
  return [priority, due, ttlMs, idempotency?.key, idempotency?.fingerprint].join(SEPARATOR);
}

/** But for key and payload. */
function saysTheSame(task: NewTask, other: NewTask): boolean {
  return (
    task.tenant === other.tenant &&
    task.type === other.type &&
    task.priority === other.priority &&
    task.orderingKey === other.orderingKey &&
    task.delayMs === other.delayMs &&
    task.runAtMs === other.runAtMs &&
    task.ttlMs === other.ttlMs &&
    !task.idempotency &&
    !other.idempotency
  );
}

function dueOf({ delayMs, runAtMs }: NewTask): string {
  if (runAtMs !== undefined) return `a${runAtMs}`;
  return delayMs ? `d${delayMs}` : '';
}
