import {
  applyDecorators,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Post,
  Put,
  Query,
} from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { QueueError, type Queue, type Registry, type WorkerCommand } from '@app/queue';
import { ApiProblems, BODY_PROBLEMS, NO_BODY_PROBLEMS } from '../http/api-problems.js';
import { NameParam, workerParam } from '../http/name.pipe.js';
import { refuseFields } from '../http/validation.js';
import { INSPECTOR, REGISTRY } from '../ports.module.js';
import { activitiesOf, tasksOf, within } from './activities.js';
import { ListWorkersDto, toWorkerQuery } from './list-workers.dto.js';
import { RegisterWorkerDto, toRegistration } from './register-worker.dto.js';
import { WorkerCommands } from './worker-commands.js';
import {
  RegistrationView,
  viewRegistration,
  viewWorker,
  viewWorkerDetail,
  WorkerDetailView,
  WorkerPageView,
} from './worker.view.js';

/** Knows who works, and passes on what is wanted of them. */
@ApiTags('workers')
@ApiBearerAuth()
@Controller('v1/workers')
export class WorkersController {
  constructor(
    @Inject(REGISTRY) private readonly registry: Registry,
    @Inject(INSPECTOR) private readonly inspector: Pick<Queue, 'activity' | 'leased' | 'capabilities'>,
    private readonly commands: WorkerCommands,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listWorkers',
    summary: 'List the workers',
    description:
      'Those that were heard of lately, by id, with what they run and what became of what they ran: as the service saw it, in the queues they registered with.',
  })
  @ApiResponse({ status: 200, type: WorkerPageView, description: 'A page.' })
  @ApiProblems('invalid-request')
  async list(@Query() query: ListWorkersDto): Promise<WorkerPageView> {
    const page = await this.registry.workers(toWorkerQuery(query));
    const workers = within(page.items);
    const activities = await activitiesOf(this.inspector, workers);
    const nextCursor = workers.length < page.items.length ? workers.at(-1)?.id : page.nextCursor;
    return {
      items: workers.map((worker) => viewWorker(worker, activities.get(worker.id) ?? [])),
      nextCursor: nextCursor ?? null,
    };
  }

  @Get(':workerId')
  @ApiOperation({
    operationId: 'getWorker',
    summary: 'Get a worker',
    description: 'What it said of itself, what became of what it ran, and the tasks that it has leased now.',
  })
  @ApiParam(workerParam)
  @ApiResponse({ status: 200, type: WorkerDetailView, description: 'The worker.' })
  @ApiProblems('worker-not-found', 'invalid-request')
  async get(@NameParam('workerId') id: string): Promise<WorkerDetailView> {
    const worker = await this.registry.worker(id);
    if (!worker) throw new QueueError('worker-not-found');
    const [activities, tasks] = await Promise.all([
      activitiesOf(this.inspector, [worker]),
      tasksOf(this.inspector, worker),
    ]);
    return viewWorkerDetail(worker, activities.get(id) ?? [], tasks);
  }

  @Put(':workerId')
  @ApiOperation({
    operationId: 'registerWorker',
    summary: 'Register a worker',
    description:
      'Says that the worker is there, and what it is; to be repeated well within its `ttl`, as a sign of life. The answer says what is wanted of it. A worker that does not register works all the same, but is not listed and cannot be told anything.',
  })
  @ApiParam(workerParam)
  @ApiBody({
    type: RegisterWorkerDto,
    examples: {
      least: { summary: 'What it takes', value: { queues: ['emails'] } },
      all: {
        summary: 'All there is to say',
        value: {
          queues: ['emails', 'default'],
          types: ['email.send'],
          host: 'build-3',
          pid: 4711,
          version: '1.2.3',
          labels: { gpu: 'a100', zone: 'eu' },
          ttl: '30s',
        },
      },
    },
  })
  @ApiResponse({ status: 200, type: RegistrationView, description: 'It is registered.' })
  @ApiProblems(...BODY_PROBLEMS, 'too-many-workers', 'store-full')
  async register(
    @NameParam('workerId') id: string,
    @Body() body: RegisterWorkerDto,
  ): Promise<RegistrationView> {
    return viewRegistration(await this.registry.register(...toRegistration(id, body)));
  }

  @Delete(':workerId')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deregisterWorker',
    summary: 'Take a worker off the list',
    description:
      'A worker that ends says so, after it has settled or released what it had: its leases are not touched. A worker that goes on is listed again with its next sign of life.',
  })
  @ApiParam(workerParam)
  @ApiResponse({ status: 204, description: 'It is not registered any more.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'worker-not-found')
  async deregister(@NameParam('workerId') id: string, @Body() body: unknown): Promise<void> {
    refuseFields(body);
    if (!(await this.registry.deregister(id))) throw new QueueError('worker-not-found');
  }

  @Post(':workerId/quiet')
  @ApiOperation({
    operationId: 'quietWorker',
    summary: 'Have a worker take no new tasks',
    description:
      'It finishes what it has. It hears so with its next sign of life or heartbeat, and its requests for tasks are answered as if there were none from a second later at most. Holds until it is resumed, or is gone.',
  })
  @Tells()
  quiet(@NameParam('workerId') id: string, @Body() body: unknown): Promise<RegistrationView> {
    return this.tell(id, body, 'quiet');
  }

  @Post(':workerId/terminate')
  @ApiOperation({
    operationId: 'terminateWorker',
    summary: 'Have a worker end',
    description:
      'As `quiet`, and then it is to end by itself. Whether something starts it again is not for the service to say.',
  })
  @Tells()
  terminate(@NameParam('workerId') id: string, @Body() body: unknown): Promise<RegistrationView> {
    return this.tell(id, body, 'terminate');
  }

  @Post(':workerId/resume')
  @ApiOperation({
    operationId: 'resumeWorker',
    summary: 'Have a worker take tasks again',
    description: 'Takes back `quiet`, and `terminate` where the worker has not heard of it yet.',
  })
  @Tells()
  resume(@NameParam('workerId') id: string, @Body() body: unknown): Promise<RegistrationView> {
    return this.tell(id, body);
  }

  private async tell(id: string, body: unknown, command?: WorkerCommand): Promise<RegistrationView> {
    refuseFields(body);
    const worker = await this.commands.tell(id, command);
    if (!worker) throw new QueueError('worker-not-found');
    return viewRegistration(worker);
  }
}

/** A route by which an operator says what is wanted of a worker. */
function Tells(): MethodDecorator {
  return applyDecorators(
    HttpCode(200),
    ApiParam(workerParam),
    ApiResponse({ status: 200, type: RegistrationView, description: 'The worker.' }),
    ApiProblems(
      'malformed-body',
      'worker-not-found',
      'unsupported-media-type',
      'request-timeout',
      'invalid-request',
    ),
  );
}
