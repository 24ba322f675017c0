import { Module } from '@nestjs/common';
import { DeadController } from './dead.controller.js';
import { QueueFlowController } from './queue-flow.controller.js';
import { QueuesController } from './queues.controller.js';
import { TenantsController } from './tenants.controller.js';

@Module({ controllers: [QueuesController, QueueFlowController, TenantsController, DeadController] })
export class QueuesModule {}
