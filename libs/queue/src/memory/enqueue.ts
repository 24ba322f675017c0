import { QueueError } from '../core/errors.js';
import { LIMITS } from '../core/limits.js';
import { taskId } from '../core/names.js';
import { withDefaults } from '../core/new-task.js';
import type { EnqueueOutcome, NewTask } from '../core/ports/producer.js';
import type { Task } from '../core/task.js';
import type { QueueState } from './queue-state.js';
import { viewTask, type TaskRecord } from './record.js';

/** A submission whose queue and key are settled. */
export interface Submission {
  queue: QueueState;
  key: string;
  task: NewTask;
}

/**
 * Decides about all submissions before it stores any. A later one is judged as if those before it were
 * stored already.
 */
export function enqueue(submissions: readonly Submission[], atomic: boolean, now: number): EnqueueOutcome[] {
  const plan = new Plan(now);
  const decisions = submissions.map((submission) => plan.decide(submission));
  const refusal = decisions.find((decision) => decision.status === 'refused');
  if (atomic && refusal?.status === 'refused') {
    return decisions.map((decision) =>
      decision.status !== 'refused' && plan.creates(decision.record)
        ? { status: 'refused', error: refusal.error }
        : toOutcome(decision),
    );
  }
  plan.carryOut();
  return decisions.map(toOutcome);
}

type Decision =
  { status: 'accepted' | 'replayed'; record: TaskRecord } | { status: 'refused'; error: QueueError };

class Plan {
  readonly #created: { submission: Submission; record: TaskRecord }[] = [];

  constructor(private readonly now: number) {}

  /** The idempotency key decides before the id does: it may name a task with another id. */
  decide(submission: Submission): Decision {
    const { queue, task } = submission;
    const earlier = task.idempotency && this.#earlierUse(queue, task.idempotency.key);
    if (earlier) {
      const id = taskId(queue.name, earlier.key);
      if (earlier.fingerprint !== task.idempotency?.fingerprint) {
        return refuse(new QueueError('idempotency-mismatch', { taskId: id }));
      }
      const record = this.#find(queue, earlier.key);
      return record ? { status: 'replayed', record } : refuse(new QueueError('task-gone', { taskId: id }));
    }
    const existing = this.#find(queue, submission.key);
    if (existing) {
      if (existing.content === contentOf(task)) return { status: 'replayed', record: existing };
      return refuse(new QueueError('id-conflict', { taskId: existing.task.id }));
    }
    const objection = this.#objection(submission);
    if (objection) return refuse(objection);
    const before = this.#createdIn(queue).length;
    const record = createRecord(submission, queue.accepted + before, this.now);
    this.#created.push({ submission, record });
    return { status: 'accepted', record };
  }

  creates(record: TaskRecord): boolean {
    return this.#created.some((created) => created.record === record);
  }

  carryOut(): void {
    for (const { submission, record } of this.#created) {
      const { queue, task } = submission;
      queue.forgetIdle(record.task.tenant, this.now);
      queue.tasks.set(record.key, record);
      queue.accepted += 1;
      queue.count('enqueued', this.now);
      if (task.idempotency) {
        queue.submissions.set(task.idempotency.key, {
          fingerprint: task.idempotency.fingerprint,
          key: record.key,
          until: this.now + LIMITS.idempotencyMs,
        });
      }
      if (record.accepted.dueAt === undefined) queue.append(record, this.now);
      else queue.postpone(record, 'scheduled', record.accepted.dueAt);
      queue.announce(record);
    }
  }

  /** Why the queue takes no new task of this kind now. */
  #objection({ queue, key, task }: Submission): QueueError | undefined {
    const id = taskId(queue.name, key);
    if (queue.draining) return new QueueError('queue-draining', { taskId: id });
    const { tenant } = withDefaults(task);
    const added = this.#createdIn(queue);
    const full = (backlog: number | undefined, ofTenant?: string) => {
      if (backlog === undefined) return false;
      const before = added.filter(({ record }) => ofTenant === undefined || record.task.tenant === ofTenant);
      return queue.backlog(ofTenant) + before.length >= backlog;
    };
    if (!full(queue.settings.backlog) && !full(queue.settingsOf(tenant).backlog, tenant)) return undefined;
    return new QueueError('backlog-full', { taskId: id, retryAfterMs: retryAfterMs(queue, this.now) });
  }

  #createdIn(queue: QueueState) {
    return this.#created.filter(({ submission }) => submission.queue === queue);
  }

  #find(queue: QueueState, key: string): TaskRecord | undefined {
    const created = this.#created.find(
      ({ submission, record }) => submission.queue === queue && record.key === key,
    );
    return created?.record ?? queue.tasks.get(key);
  }

  #earlierUse(queue: QueueState, idempotencyKey: string): { fingerprint: string; key: string } | undefined {
    for (const { submission, record } of this.#created) {
      const use = submission.queue === queue ? submission.task.idempotency : undefined;
      if (use?.key === idempotencyKey) return { fingerprint: use.fingerprint, key: record.key };
    }
    const stored = queue.submissions.get(idempotencyKey);
    return stored && this.now < stored.until ? stored : undefined;
  }
}

/** About as long as one task takes to start at the pace of the last whole minute. */
function retryAfterMs(queue: QueueState, now: number): number {
  const started = queue.minutes.started(now, 1);
  return started === 0 ? 10_000 : Math.min(60_000, Math.max(1_000, Math.ceil(60_000 / started)));
}

function createRecord({ queue, key, task }: Submission, position: number, now: number): TaskRecord {
  const askedFor = task.runAtMs ?? now + (task.delayMs ?? 0);
  const dueAt = askedFor > now ? askedFor : undefined;
  const accepted: Task = {
    ...withDefaults(task),
    id: taskId(queue.name, key),
    queue: queue.name,
    type: task.type,
    payload: task.payload,
    retry: task.retry,
    timeoutMs: task.timeoutMs,
    orderingKey: task.orderingKey,
    state: dueAt === undefined ? 'pending' : 'scheduled',
    createdAt: now,
    dueAt,
    expiresAt: task.ttlMs === undefined ? undefined : (dueAt ?? now) + task.ttlMs,
    attempt: 0,
    failures: 0,
    crashes: 0,
    errors: [],
    cancelRequested: false,
  };
  return {
    key,
    position,
    content: contentOf(task),
    accepted,
    task: { ...accepted },
    logs: [],
    mayExpire: task.ttlMs !== undefined,
    pendingSince: dueAt === undefined ? -Infinity : now,
    lane: queue.laneFor(accepted),
  };
}

function contentOf(task: NewTask): string {
  const { tenant, priority, tags, metadata } = withDefaults(task);
  const { type, payload, retry, timeoutMs, delayMs, runAtMs, ttlMs, orderingKey } = task;
  return JSON.stringify([
    type,
    tenant,
    priority,
    payload,
    tags,
    Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)),
    retry && [retry.maxAttempts, retry.backoff, retry.delayMs, retry.maxDelayMs, retry.jitter],
    timeoutMs,
    delayMs,
    runAtMs,
    ttlMs,
    orderingKey,
  ]);
}

function refuse(error: QueueError): Decision {
  return { status: 'refused', error };
}

function toOutcome(decision: Decision): EnqueueOutcome {
  if (decision.status === 'refused') return decision;
  return { status: decision.status, task: viewTask(decision.record.accepted) };
}
