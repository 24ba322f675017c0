import { QueueError, type OperateOutcome, type TaskId } from '@app/queue';
import { Problem } from '../http/problem.js';
import { viewTask, type TaskView } from './task.view.js';

/** The task after an operation. @throws QueueError where it was refused */
export function viewOperated(outcome: OperateOutcome | undefined, id: TaskId): TaskView {
  if (!outcome) throw new Problem('internal');
  if (outcome.status === 'done') return viewTask(outcome.task);
  const { code, data } = outcome.error;
  throw new QueueError(code, { ...data, taskId: data.taskId ?? id });
}
