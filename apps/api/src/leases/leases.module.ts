import { Module } from '@nestjs/common';
import { WorkersModule } from '../workers/workers.module.js';
import { AttemptsController } from './attempts.controller.js';
import { LeaseController } from './lease.controller.js';
import { LeasePolls } from './lease-polls.js';
import { LeasesController } from './leases.controller.js';
import { Lines } from './lines.js';

@Module({
  imports: [WorkersModule],
  controllers: [LeaseController, AttemptsController, LeasesController],
  providers: [LeasePolls, Lines],
  exports: [Lines],
})
export class LeasesModule {}
