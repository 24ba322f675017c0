import { LIMITS, type Settlement, type TaskError } from '@app/queue';
import { getSchemaPath } from '@nestjs/swagger';
import { Field, NestedField, OnlyWith } from '../http/field.js';
import type { Fault } from '../http/problem.js';
import * as is from '../http/rule.js';
import { check, invalid } from '../http/validation.js';
import { NextLeaseDto } from './lease.dto.js';
import { leaseToken, logLines, taskIdRule, toJsonText, words } from './report.js';

const tokenField = {
  required: true,
  description: 'As leased with the task.',
  example: 'Yb3kQ9x0T1uVw2Zp4RsA.order-42',
};
const logsField = {
  description: `Lines written since the last heartbeat, each cut at ${LIMITS.logLineCharsMax} characters.`,
  example: ['sent to ada@example.com'],
};
const resultField = {
  description: `Any JSON, up to ${LIMITS.resultBytesMax} bytes. Absent: no result.`,
  example: { messageId: 'm-1' },
};
const errorField = { description: 'What went wrong.' };
const retryableField = {
  description: 'false: to the dead-letter queue at once, whatever the retry policy says.',
  default: true,
  example: true,
};
const retryInField = {
  description: 'Tried again after this long, if it has attempts left. Default: as the retry policy says.',
  example: '10s',
};
const retryAfterField = {
  description:
    'The queue starts nothing for so long, on any worker: what all of its tasks need is overloaded. Default: not at all.',
  example: '5s',
};
const retryIn = is.duration(0, LIMITS.retryDelayMsMax);
const retryAfter = is.duration(0, LIMITS.retryAfterMsMax);

/** Why an attempt failed. */
export class FailureDto {
  @Field(words, {
    required: true,
    description: `What went wrong, in words. Cut at ${LIMITS.errorMessageCharsMax} characters.`,
    example: 'connect ECONNREFUSED',
  })
  message!: string;

  @Field(words, {
    description: `The same for programs. Cut at ${LIMITS.errorCodeCharsMax} characters.`,
    example: 'mail-refused',
  })
  code?: string;

  @Field(is.anything(), {
    description: `Any JSON. Left out where the error would be longer than ${LIMITS.errorBytesMax} bytes with it.`,
    example: { host: 'mail.example.com' },
  })
  details?: unknown;
}

/** An attempt succeeded. */
export class CompleteTaskDto {
  @Field(leaseToken, tokenField)
  leaseToken!: string;

  @Field(is.anything(), resultField)
  result?: unknown;

  @Field(logLines, logsField)
  logs?: string[];
}

/** An attempt failed. */
export class FailTaskDto {
  @Field(leaseToken, tokenField)
  leaseToken!: string;

  @NestedField(FailureDto, { ...errorField, required: true })
  error!: FailureDto;

  @Field(is.boolean(), retryableField)
  retryable?: boolean;

  @Field(retryIn, retryInField)
  retryIn?: number | string;

  @Field(logLines, logsField)
  logs?: string[];
}

/** A task goes back unfinished. */
export class ReleaseTaskDto {
  @Field(leaseToken, tokenField)
  leaseToken!: string;

  @Field(retryAfter, retryAfterField)
  retryAfter?: number | string;

  @Field(logLines, logsField)
  logs?: string[];
}

/** The end of one of many leases. */
export class SettlementDto {
  @Field(taskIdRule, { required: true, description: 'The task.', example: 'emails~order-42' })
  id!: string;

  @Field(leaseToken, tokenField)
  leaseToken!: string;

  @Field(is.choice(['complete', 'fail', 'release']), {
    required: true,
    description: 'How the attempt ended.',
    example: 'complete',
  })
  action!: Settlement['action'];

  @Field(is.anything(), { ...resultField, description: `${resultField.description} Only with complete.` })
  @OnlyWith('action', 'complete')
  result?: unknown;

  @NestedField(FailureDto, { description: `${errorField.description} Required with fail, and only with it.` })
  @OnlyWith('action', 'fail')
  error?: FailureDto;

  @Field(is.boolean(), { ...retryableField, description: `${retryableField.description} Only with fail.` })
  @OnlyWith('action', 'fail')
  retryable?: boolean;

  @Field(retryIn, { ...retryInField, description: `${retryInField.description} Only with fail.` })
  @OnlyWith('action', 'fail')
  retryIn?: number | string;

  @Field(retryAfter, { ...retryAfterField, description: `${retryAfterField.description} Only with release.` })
  @OnlyWith('action', 'release')
  retryAfter?: number | string;

  @Field(logLines, logsField)
  logs?: string[];
}

/** The ends of many leases. */
export class SettlementsDto {
  @Field(is.listOf(is.anything(), 1, LIMITS.batchTasksMax), {
    required: true,
    description: `1 to ${LIMITS.batchTasksMax} ends of leases, of any queues.`,
    items: { $ref: getSchemaPath(SettlementDto) },
  })
  settlements!: unknown[];
}

/** The ends of many leases, and what to take next. */
export class SettleDto extends SettlementsDto {
  @NestedField(NextLeaseDto, { description: 'What to take in the same step. Default: nothing.' })
  next?: NextLeaseDto;
}

/**
 * The port's form of many ends.
 *
 * @throws Problem `invalid-request` with the faults of all, `payload-too-large`
 */
export function toSettlements({ settlements }: SettlementsDto): Settlement[] {
  const checked = settlements.map((plain) => check(SettlementDto, plain));
  const faults = checked.flatMap((one, index) =>
    [...one.faults, ...missing(one.value)].map(({ pointer, detail }) => ({
      pointer: `/settlements/${index}${pointer}`,
      detail,
    })),
  );
  if (faults.length > 0) throw invalid(faults);
  return checked.map(({ value }, index) => toSettlement(value, `/settlements/${index}`));
}

/** The port's form of a checked end. `at` leads to it in the request's body. @throws Problem `payload-too-large` */
export function toSettlement(dto: SettlementDto, at = ''): Settlement {
  const { id, leaseToken: token, action, logs } = dto;
  if (action === 'complete') {
    const result = toJsonText(dto.result, LIMITS.resultBytesMax, `${at}/result`);
    return { id, leaseToken: token, action, result, logs };
  }
  if (action === 'release') {
    return { id, leaseToken: token, action, retryAfterMs: is.readDurationMs(dto.retryAfter), logs };
  }
  const { message, code, details } = dto.error as TaskError;
  const { retryable } = dto;
  const retryInMs = is.readDurationMs(dto.retryIn);
  return { id, leaseToken: token, action, error: { message, code, details }, retryable, retryInMs, logs };
}

function missing({ action, error }: SettlementDto): Fault[] {
  return action === 'fail' && error === undefined ? [{ pointer: '/error', detail: 'is required' }] : [];
}
