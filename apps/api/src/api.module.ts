import { type DynamicModule, Module } from '@nestjs/common';
import type { Backends, Queue } from '@app/queue';
import { EventsModule } from './events/events.module.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import type { RouteTable } from './http/route-table.js';
import { InfoModule } from './info/info.module.js';
import { LeasesModule } from './leases/leases.module.js';
import type { ApiMetrics } from './metrics/http-metrics.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { PortsModule } from './ports.module.js';
import { QueuesModule } from './queues/queues.module.js';
import { SocketModule } from './socket/socket.module.js';
import type { SocketOptions } from './socket/sockets.js';
import { StatsModule } from './stats/stats.module.js';
import { TasksModule } from './tasks/tasks.module.js';
import { WorkersModule } from './workers/workers.module.js';

/** The API on one page. */
@Module({})
export class ApiModule {
  static of(
    queue: Queue,
    backends: Backends,
    metrics: ApiMetrics,
    routes: RouteTable,
    followersMax: number,
    sockets: SocketOptions,
  ): DynamicModule {
    return {
      module: ApiModule,
      imports: [
        PortsModule.of(queue, metrics, backends),
        HttpModule.of(routes),
        TasksModule,
        LeasesModule,
        WorkersModule,
        SocketModule.of(sockets),
        QueuesModule,
        EventsModule.of(followersMax),
        StatsModule,
        InfoModule,
        HealthModule,
        MetricsModule,
      ],
    };
  }
}
