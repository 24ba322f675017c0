// NestJS in front of BullMQ, as its documentation shows it: the global ValidationPipe, DTO classes, an injected queue.
import 'reflect-metadata';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Injectable,
  Module,
  Param,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Queue } from 'bullmq';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator';

const NAME = /^[A-Za-z0-9._:/-]{1,64}$/;

class RetryDto {
  @IsOptional() @IsInt() @Min(1) @Max(1_000) maxAttempts?: number;
  @IsOptional() @IsIn(['exponential', 'linear', 'fixed']) backoff?: string;
  @IsOptional() @IsInt() @Min(0) delay?: number;
}

class SubmitTaskDto {
  @IsString() @Matches(NAME) type!: string;
  @IsOptional() payload?: unknown;
  @IsOptional() @IsString() @Matches(NAME) queue?: string;
  @IsOptional() @IsInt() @Min(1) @Max(6) priority?: number;
  @IsOptional() @IsString() @MaxLength(128) tenant?: string;
  @IsOptional() @IsInt() @Min(0) delay?: number;
  @IsOptional() @IsInt() @Min(1) ttl?: number;
  @IsOptional() @IsInt() @Min(1) timeout?: number;
  @IsOptional() @ValidateNested() @Type(() => RetryDto) retry?: RetryDto;
  @IsOptional() @IsString() @MaxLength(128) orderingKey?: string;
  @IsOptional() @IsArray() @ArrayMaxSize(20) @IsString({ each: true }) tags?: string[];
  @IsOptional() @IsObject() metadata?: Record<string, string>;
  @IsOptional() @IsString() @MaxLength(128) id?: string;
}

class TaskBatchDto {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1_000)
  @ValidateNested({ each: true })
  @Type(() => SubmitTaskDto)
  tasks!: SubmitTaskDto[];
}

@Injectable()
class Tasks {
  private readonly queue = new Queue('bench', {
    connection: { url: process.env.REDIS_URL },
    defaultJobOptions: { attempts: 3, removeOnComplete: { count: 1_000 } },
  });

  async submit({ type, payload, id }: SubmitTaskDto) {
    const job = await this.queue.add(type, payload, id === undefined ? {} : { jobId: id });
    return {
      id: job.id,
      queue: 'bench',
      type,
      payload,
      state: 'pending',
      createdAt: new Date(job.timestamp),
    };
  }

  async submitMany(tasks: SubmitTaskDto[]) {
    const jobs = await this.queue.addBulk(tasks.map(({ type, payload }) => ({ name: type, data: payload })));
    return jobs.map(({ id, name, timestamp }) => ({
      status: 'accepted',
      task: { id, queue: 'bench', type: name, state: 'pending', createdAt: new Date(timestamp) },
    }));
  }

  async get(id: string) {
    const job = await this.queue.getJob(id);
    const state = await job?.getState();
    return {
      id,
      queue: 'bench',
      type: job?.name,
      payload: job?.data as unknown,
      state,
      createdAt: job?.timestamp,
    };
  }
}

@Controller()
class TasksController {
  constructor(private readonly tasks: Tasks) {}

  @Post('v1/tasks')
  @HttpCode(202)
  submit(@Body() body: SubmitTaskDto) {
    return this.tasks.submit(body);
  }

  @Post('v1/tasks/batch')
  @HttpCode(202)
  async submitMany(@Body() { tasks }: TaskBatchDto) {
    return { items: await this.tasks.submitMany(tasks) };
  }

  @Get('v1/tasks/:id')
  get(@Param('id') id: string) {
    return this.tasks.get(id);
  }

  @Get('health/ready')
  ready() {
    return { ok: true };
  }
}

@Module({ providers: [Tasks], controllers: [TasksController] })
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(AppModule, new FastifyAdapter(), {
  logger: ['warn', 'error'],
});
app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
await app.listen(Number(process.env.PORT), '127.0.0.1');
