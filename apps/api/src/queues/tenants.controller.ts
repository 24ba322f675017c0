import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Inspector, Operator } from '@app/queue';
import { ApiProblems, BODY_PROBLEMS, NO_BODY_PROBLEMS } from '../http/api-problems.js';
import { NameParam, queueParam, tenantParam } from '../http/name.pipe.js';
import { refuseFields } from '../http/validation.js';
import { INSPECTOR, OPERATOR } from '../ports.module.js';
import { findQueue } from './find-queue.js';
import { ListTenantsDto } from './list-tenants.dto.js';
import { TenantSettingsDto, toTenantSettings } from './queue-settings.dto.js';
import { TenantPageView, TenantView, viewTenant } from './tenant.view.js';

/** Shows what each tenant has in a queue, and keeps what was decided about it. */
@ApiTags('queues')
@ApiBearerAuth()
@ApiParam(queueParam)
@Controller('v1/queues/:queue/tenants')
export class TenantsController {
  constructor(
    @Inject(INSPECTOR) private readonly inspector: Inspector,
    @Inject(OPERATOR) private readonly operator: Operator,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listTenants',
    summary: 'List the tenants of a queue',
    description:
      'Those that have tasks waiting or running, have settings of their own, or are paused; those with many open tasks first (in classes of 1 to 3, 4 to 15, 16 to 63 and so on, inside a class by name downwards). A tenant whose number changes while pages are read may be missed or seen twice.',
  })
  @ApiResponse({ status: 200, type: TenantPageView, description: 'A page.' })
  @ApiProblems('queue-not-found', 'invalid-request', 'invalid-cursor')
  async list(
    @NameParam('queue') queue: string,
    @Query() { limit = 50, cursor }: ListTenantsDto,
  ): Promise<TenantPageView> {
    await findQueue(this.inspector, queue);
    const { items, nextCursor = null } = await this.inspector.tenants(queue, limit, cursor);
    return { items: items.map(viewTenant), nextCursor };
  }

  @Get(':tenant')
  @ApiOperation({
    operationId: 'getTenant',
    summary: 'Get a tenant of a queue',
    description: 'What it has waiting and running, and its settings. One that never had a task has nothing.',
  })
  @ApiParam(tenantParam)
  @ApiResponse({ status: 200, type: TenantView, description: 'The tenant.' })
  @ApiProblems('queue-not-found', 'invalid-request')
  async get(@NameParam('queue') queue: string, @NameParam('tenant') tenant: string): Promise<TenantView> {
    await findQueue(this.inspector, queue);
    return this.show(queue, tenant);
  }

  @Put(':tenant')
  @ApiOperation({
    operationId: 'configureTenant',
    summary: 'Set what holds for a tenant',
    description:
      'Replaces all of its own settings: what is left out is as for every tenant of the queue. Neither the tenant nor the queue need have had a task.',
  })
  @ApiParam(tenantParam)
  @ApiBody({
    type: TenantSettingsDto,
    examples: {
      larger: { summary: 'Twice the share', value: { weight: 2 } },
      limited: {
        summary: 'With limits',
        value: { concurrency: 5, rate: { limit: 10, per: '1s' }, backlog: 1_000 },
      },
    },
  })
  @ApiResponse({ status: 200, type: TenantView, description: 'The tenant.' })
  @ApiProblems(...BODY_PROBLEMS, 'store-full')
  async configure(
    @NameParam('queue') queue: string,
    @NameParam('tenant') tenant: string,
    @Body() body: TenantSettingsDto,
  ): Promise<TenantView> {
    await this.operator.configureTenant(queue, tenant, toTenantSettings(body));
    return this.show(queue, tenant);
  }

  @Delete(':tenant')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'resetTenant',
    summary: 'Set nothing for a tenant any more',
    description:
      'Removes its own settings: all is as for every tenant of the queue. Its tasks and its pause stay.',
  })
  @ApiParam(tenantParam)
  @ApiResponse({ status: 204, description: 'It has no settings of its own.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'queue-not-found')
  async reset(
    @NameParam('queue') queue: string,
    @NameParam('tenant') tenant: string,
    @Body() body: unknown,
  ): Promise<void> {
    refuseFields(body);
    await findQueue(this.inspector, queue);
    await this.operator.configureTenant(queue, tenant, {});
  }

  @Post(':tenant/pause')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'pauseTenant',
    summary: 'Pause a tenant',
    description:
      'None of its tasks in this queue starts until it is resumed; what runs goes on, new ones are accepted, and other tenants go on. Neither the tenant nor the queue need have had a task.',
  })
  @ApiParam(tenantParam)
  @ApiResponse({ status: 200, type: TenantView, description: 'The tenant.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'store-full')
  async pause(
    @NameParam('queue') queue: string,
    @NameParam('tenant') tenant: string,
    @Body() body: unknown,
  ): Promise<TenantView> {
    refuseFields(body);
    await this.operator.pause(queue, tenant);
    return this.show(queue, tenant);
  }

  @Post(':tenant/resume')
  @HttpCode(200)
  @ApiOperation({
    operationId: 'resumeTenant',
    summary: 'Resume a tenant',
    description: 'Ends its pause. A pause of the whole queue stays.',
  })
  @ApiParam(tenantParam)
  @ApiResponse({ status: 200, type: TenantView, description: 'The tenant.' })
  @ApiProblems(...NO_BODY_PROBLEMS, 'queue-not-found')
  async resume(
    @NameParam('queue') queue: string,
    @NameParam('tenant') tenant: string,
    @Body() body: unknown,
  ): Promise<TenantView> {
    refuseFields(body);
    await findQueue(this.inspector, queue);
    await this.operator.resume(queue, tenant);
    return this.show(queue, tenant);
  }

  private async show(queue: string, tenant: string): Promise<TenantView> {
    return viewTenant(await this.inspector.tenant(queue, tenant));
  }
}
