import { Module } from '@nestjs/common';
import { BatchController } from './batch.controller.js';
import { SubmitController } from './submit.controller.js';
import { TasksController } from './tasks.controller.js';

@Module({ controllers: [SubmitController, BatchController, TasksController] })
export class TasksModule {}
