import { LIMITS, type Extension, type TaskId } from '@app/queue';
import { getSchemaPath } from '@nestjs/swagger';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';
import { check, invalid } from '../http/validation.js';
import { leaseDuration } from './lease.dto.js';
import { leaseToken, logLines, taskIdRule, toJsonText } from './report.js';

const extendField = {
  description: 'The leases hold for this long from now.',
  default: '30s',
  example: '30s',
};

/** What a worker reports of an attempt that goes on. */
export class AttemptNewsDto {
  @Field(leaseToken, {
    required: true,
    description: 'As leased with the task.',
    example: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
  })
  leaseToken!: string;

  @Field(is.anything(), {
    description: `How far it is: any JSON, up to ${LIMITS.progressBytesMax} bytes. Replaces what was reported before.`,
    example: { percent: 40 },
  })
  progress?: unknown;

  @Field(logLines, {
    description: `Lines written since the last heartbeat, each cut at ${LIMITS.logLineCharsMax} characters; of a task the latest ${LIMITS.logLinesKept} are kept.`,
    example: ['sent to ada@example.com'],
  })
  logs?: string[];
}

/** The heartbeat of one lease. */
export class HeartbeatDto extends AttemptNewsDto {
  @Field(leaseDuration, extendField)
  extend?: number | string;
}

/** One of many leases. */
export class HeldLeaseDto extends AttemptNewsDto {
  @Field(taskIdRule, { required: true, description: 'The task.', example: 'emails~order-42' })
  id!: string;
}

/** The heartbeat of all leases of a worker. */
export class HeartbeatsDto {
  @Field(is.listOf(is.anything(), 1, LIMITS.batchTasksMax), {
    required: true,
    description: `1 to ${LIMITS.batchTasksMax} leases, of any queues.`,
    items: { $ref: getSchemaPath(HeldLeaseDto) },
  })
  leases!: unknown[];

  @Field(leaseDuration, extendField)
  extend?: number | string;

  @Field(is.name('workerId'), {
    description: 'Whose leases they are, to hear what is wanted of it. It is no sign of life.',
    example: 'mailer-7f3a',
  })
  workerId?: string;
}

/**
 * The port's form of many heartbeats.
 *
 * @throws Problem `invalid-request` with the faults of all, `payload-too-large`
 */
export function toExtensions({ leases }: HeartbeatsDto): Extension[] {
  const checked = leases.map((plain) => check(HeldLeaseDto, plain));
  const faults = checked.flatMap((one, index) =>
    one.faults.map(({ pointer, detail }) => ({ pointer: `/leases/${index}${pointer}`, detail })),
  );
  if (faults.length > 0) throw invalid(faults);
  return checked.map(({ value }, index) => toExtension(value.id, value, `/leases/${index}`));
}

/** The port's form of a checked heartbeat. `at` leads to it in the request's body. @throws Problem `payload-too-large` */
export function toExtension(id: TaskId, news: AttemptNewsDto, at = ''): Extension {
  const progress = toJsonText(news.progress, LIMITS.progressBytesMax, `${at}/progress`);
  return { id, leaseToken: news.leaseToken, progress, logs: news.logs };
}
