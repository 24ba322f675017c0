import { Module } from '@nestjs/common';
import { AttemptsController } from './attempts.controller.js';
import { LeaseController } from './lease.controller.js';
import { LeasePolls } from './lease-polls.js';
import { LeasesController } from './leases.controller.js';

@Module({ controllers: [LeaseController, AttemptsController, LeasesController], providers: [LeasePolls] })
export class LeasesModule {}
