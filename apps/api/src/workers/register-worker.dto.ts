import { LIMITS, type WorkerRegistration } from '@app/queue';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';

const text = is.text(LIMITS.workerTextCharsMax);

/** What a worker says of itself. */
export class RegisterWorkerDto {
  @Field(is.listOf(is.name('queue'), 1, LIMITS.workerQueuesMax), {
    required: true,
    description: 'The queues it takes tasks from. What it does is looked for in these.',
    example: ['emails'],
  })
  queues!: string[];

  @Field(is.listOf(is.name('type'), 0, LIMITS.workerTypesMax), {
    description: 'The task types it knows how to execute.',
    default: [],
    example: ['email.send'],
  })
  types?: string[];

  @Field(text, { description: 'The machine it runs on.', example: 'build-3' })
  host?: string;

  @Field(is.integer(0, Number.MAX_SAFE_INTEGER), { description: 'Its process there.', example: 4711 })
  pid?: number;

  @Field(text, { description: 'The version of its program.', example: '1.2.3' })
  version?: string;

  @Field(is.mapOf(is.name('metadataKey'), text, LIMITS.workerLabelsMax), {
    description: 'What else tells it apart, such as its GPU.',
    default: {},
    example: { gpu: 'a100', zone: 'eu' },
  })
  labels?: Record<string, string>;

  @Field(is.duration(LIMITS.workerTtlMsMin, LIMITS.workerTtlMsMax), {
    description: 'How long it is taken to be there after this request. Repeat it three times as often.',
    default: '1m',
    example: '30s',
  })
  ttl?: number | string;
}

/** The port's form of a checked registration, and how long it holds. */
export function toRegistration(
  id: string,
  { ttl, ...said }: RegisterWorkerDto,
): [WorkerRegistration, number] {
  return [{ id, ...said }, is.readDurationMs(ttl) ?? LIMITS.workerTtlMsDefault];
}
