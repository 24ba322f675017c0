import { Module } from '@nestjs/common';
import { WorkerCommands } from './worker-commands.js';
import { WorkersController } from './workers.controller.js';

@Module({ controllers: [WorkersController], providers: [WorkerCommands], exports: [WorkerCommands] })
export class WorkersModule {}
