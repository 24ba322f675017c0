import { LIMITS, type LeaseRequest, type QueueName } from '@app/queue';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';
import { invalid } from '../http/validation.js';
import { WAIT_SECONDS_MAX } from '../http/wait.js';

const tenants = is.listOf(is.name('tenant'), 0, LIMITS.leaseTenantsMax);

/** Long enough that nobody makes the same one twice, or guesses it: lease tokens are derived from it. */
const REQUEST_ID = /^[!-}]{16,128}$/;

/** What nobody else can guess. */
export const secret = is.rule(
  'must be 16 to 128 printable ASCII characters without spaces or ~',
  { type: 'string', pattern: REQUEST_ID.source },
  (value) => typeof value === 'string' && REQUEST_ID.test(value),
);

/** How long a lease is to hold. `toLeaseMs` gives the value. */
export const leaseDuration = is.duration(LIMITS.leaseMsMin, LIMITS.leaseMsMax);

/** Who takes tasks, for how long, and whose. */
export class WorkerTermsDto {
  @Field(is.name('workerId'), {
    required: true,
    description: 'Who takes the tasks: new for every process, and the same for all of its requests.',
    example: 'mailer-7f3a',
  })
  workerId!: string;

  @Field(leaseDuration, {
    description: 'How long until the tasks are given to somebody else, unless a heartbeat extends it.',
    default: '30s',
    example: '30s',
  })
  leaseDuration?: number | string;

  @Field(tenants, {
    description: 'Tenants served before all others, by turns of their weights.',
    default: [],
    example: ['acme'],
  })
  tenants?: string[];

  @Field(is.either('must be true, false or a list of tenants', [is.boolean(), tenants]), {
    description: 'Whom to serve when `tenants` have nothing that may start: everybody, nobody, or these.',
    default: true,
    example: true,
  })
  steal?: boolean | string[];
}

/** What to take. */
export class LeaseTermsDto extends WorkerTermsDto {
  @Field(is.integer(0, LIMITS.leaseTasksMax), {
    description: `At most this many: as many as can begin at once. They are of at most ${LIMITS.leaseServesTenantsMax} tenants, others come with the next request. 0: nothing new and without waiting, only what a repeat finds; \`requestId\` is used up then, and takes nothing with another \`max\`.`,
    default: 1,
    example: 10,
  })
  max?: number;

  @Field(secret, {
    description:
      'Random, and new for every request but a repeat. Sent again because the answer got lost, while the lease holds and before another request of the worker for this queue took something, it answers with the tasks that the first one took and still holds.',
    example: 'Yb3kQ9x0T1uVw2Zp4RsA',
  })
  requestId?: string;
}

/** What to take, and how long to wait for it. */
export class LeaseDto extends LeaseTermsDto {
  @Field(is.duration(0, WAIT_SECONDS_MAX * 1_000), {
    description: 'Where nothing may start now, wait this long for something that may. As text or in ms.',
    default: 0,
    example: '20s',
  })
  wait?: number | string;
}

/** What to take after settling. */
export class NextLeaseDto extends LeaseTermsDto {
  @Field(is.name('queue'), { required: true, description: 'From which queue.', example: 'emails' })
  queue!: string;
}

/**
 * The port's form of checked terms. `at` leads to them in the request's body.
 *
 * @throws Problem `invalid-request` where nobody would be served
 */
export function toLeaseRequest(queue: QueueName, terms: LeaseTermsDto, at = ''): LeaseRequest {
  const { max = 1, requestId: id } = terms;
  return { ...toWorkerTerms(terms, at), queue, max, requestId: id };
}

/** @throws Problem `invalid-request` where nobody would be served */
export function toWorkerTerms(terms: WorkerTermsDto, at = ''): Omit<LeaseRequest, 'queue' | 'max'> {
  const { workerId, tenants: served = [], steal = true } = terms;
  if (served.length === 0 && (steal === false || (Array.isArray(steal) && steal.length === 0))) {
    throw invalid([
      { pointer: `${at}/steal`, detail: 'must not be empty or false unless tenants are named' },
    ]);
  }
  return { workerId, leaseMs: toLeaseMs(terms.leaseDuration), tenants: served, steal };
}

export function toLeaseMs(duration: number | string | undefined): number {
  return is.readDurationMs(duration) ?? LIMITS.leaseMsDefault;
}
