import { Module } from '@nestjs/common';
import { SubmitController } from './submit.controller.js';
import { TasksController } from './tasks.controller.js';

@Module({ controllers: [SubmitController, TasksController] })
export class TasksModule {}
