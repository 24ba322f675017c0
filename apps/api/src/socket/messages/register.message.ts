import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, IntersectionType, OmitType } from '@nestjs/swagger';
import type { Consumer, LeasedTask, QueueName, WorkerCommand } from '@app/queue';
import { Field, NestedField } from '../../http/field.js';
import type { ProblemCode } from '../../http/problem.js';
import * as is from '../../http/rule.js';
import { giveBack } from '../../leases/give-back.js';
import { secret, toWorkerTerms, WorkerTermsDto } from '../../leases/lease.dto.js';
import { viewLeasedTask } from '../../leases/lease.view.js';
import { Lines } from '../../leases/lines.js';
import { CONSUMER } from '../../ports.module.js';
import { RegisterWorkerDto, toRegistration } from '../../workers/register-worker.dto.js';
import { commandField } from '../../workers/worker.view.js';
import { ASSIGNMENTS_MAX, type AssignedView } from '../assigned.view.js';
import { Assigner, leaseIdentity, type AssignerOptions } from '../assigner.js';
import type { Connection } from '../connection.js';
import type { MessageType } from '../message-type.js';
import { Sessions } from '../sessions.js';

/** Each is waited for by the process, and asked when the worker comes. */
const QUEUES_MAX = 20;

/** What a worker knows of its session when it connects again. */
export class ResumeDto {
  @Field(secret, {
    required: true,
    description: 'As in the answer to the first `register`.',
    example: 'p0LmN8bVcX2zAsDfGhJk',
  })
  session!: string;

  @Field(is.integer(0, ASSIGNMENTS_MAX), {
    required: true,
    description:
      'The number of the latest assignment that arrived, or `received` of the latest `registered`.',
    example: 7,
  })
  received!: number;
}

/** Who works on this connection, how, and on what. */
export class RegisterDto extends IntersectionType(
  WorkerTermsDto,
  OmitType(RegisterWorkerDto, ['queues', 'ttl']),
) {
  @Field(is.listOf(is.name('queue'), 1, QUEUES_MAX), {
    required: true,
    description: `1 to ${QUEUES_MAX} queues, served by turns.`,
    example: ['emails'],
  })
  queues!: string[];

  @NestedField(ResumeDto, {
    description:
      'Where the worker had another connection before. Tasks that were leased for it and did not arrive go back to their queues, uncounted. Default: a new session.',
  })
  resume?: ResumeDto;
}

/** The worker is known. */
export class RegisteredView {
  @ApiProperty({
    description: 'To be told when connecting again, and to nobody else.',
    example: 'p0LmN8bVcX2zAsDfGhJk',
  })
  session!: string;

  @ApiProperty({
    description: 'What `received` is until the next assignment.',
    type: 'integer',
    example: 0,
  })
  received!: number;

  @ApiPropertyOptional(commandField)
  command?: WorkerCommand;
}

@Injectable()
export class RegisterMessage implements MessageType<RegisterDto> {
  readonly type = 'register';
  readonly summary = 'Register the connection for a worker';
  readonly description =
    'Once per connection, before `credit`. The worker is listed, as by `PUT /v1/workers/{id}`, for as long as the connection is open, and hears with `told` what is wanted of it; where the main backend lists no workers it is given tasks all the same. After a cut connect again, to any process of the API, and register with `resume`; then send a heartbeat with all that is still held: its answer says what still is. An older connection of the session in the same process is closed with 4409.';
  readonly dto = RegisterDto;
  readonly answer = { type: 'registered', view: RegisteredView, description: 'The worker may give credit.' };
  readonly example = {
    body: { workerId: 'mailer-7f3a', queues: ['emails'], leaseDuration: '30s', labels: { gpu: 'a100' } },
    answer: { session: 'p0LmN8bVcX2zAsDfGhJk', received: 0 },
  };
  readonly problems: readonly ProblemCode[] = ['already-registered', 'too-many-workers', 'store-full'];

  constructor(
    @Inject(CONSUMER) private readonly consumer: Consumer,
    private readonly lines: Lines,
    private readonly sessions: Sessions,
  ) {}

  async handle(body: RegisterDto, connection: Connection): Promise<RegisteredView> {
    const { resume, workerId, leaseDuration, tenants, steal, ...said } = body;
    const terms = toWorkerTerms({ workerId, leaseDuration, tenants, steal });
    const queues = [...new Set(body.queues)];
    const [registration] = toRegistration(workerId, { ...said, queues });
    return connection.registerOnce(async () => {
      const session = resume?.session ?? randomBytes(16).toString('base64url');
      await this.sessions.claim(session, connection);
      const received = resume ? await this.forsake(resume, queues, terms) : 0;
      const worker = new Assigner({
        consumer: this.consumer,
        lines: this.lines,
        queues,
        terms,
        session,
        number: received,
        assign: (number, tasks) => assign(connection, number, tasks),
      });
      const command = await this.sessions.enter(connection, worker, registration);
      return { worker, answer: { session, received, command } };
    });
  }

  /**
   * Gives back the one assignment that may be on its way to nowhere. It is not assigned anew as it is, since the process that
   * took it may still be about to give it back.
   *
   * @returns its number, which is used up
   */
  private async forsake(
    { session, received }: ResumeDto,
    queues: readonly QueueName[],
    terms: AssignerOptions['terms'],
  ): Promise<number> {
    const number = received + 1;
    const requestId = leaseIdentity(session, number);
    const leases = await Promise.all(
      queues.map((queue) => this.consumer.lease({ ...terms, queue, max: 0, requestId })),
    );
    await giveBack(
      this.consumer,
      leases.flatMap(({ tasks }) => tasks),
    );
    return number;
  }
}

function assign(connection: Connection, number: number, tasks: readonly LeasedTask[]): Promise<boolean> {
  const body: AssignedView = { number, items: tasks.map(viewLeasedTask) };
  return connection.send({ type: 'assigned', body });
}
