import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { Backends, Queue } from '@app/queue';
import { METRICS, type ApiMetrics } from './metrics/http-metrics.js';

/** Injects a `Producer`. */
export const PRODUCER = Symbol('Producer');
/** Injects a `Consumer`. */
export const CONSUMER = Symbol('Consumer');
/** Injects an `Inspector`. */
export const INSPECTOR = Symbol('Inspector');
/** Injects an `Observer`. */
export const OBSERVER = Symbol('Observer');
/** Injects an `Operator`. */
export const OPERATOR = Symbol('Operator');
/** Injects a `Registry`. */
export const REGISTRY = Symbol('Registry');
/** Injects `Backends`: what the queue is made of. */
export const BACKENDS = Symbol('Backends');

/** Gives the features the queue by role, so that a controller's constructor says what it may do. */
@Global()
@Module({})
export class PortsModule {
  static of(queue: Queue, metrics: ApiMetrics, backends: Backends): DynamicModule {
    const providers = [
      ...[PRODUCER, CONSUMER, INSPECTOR, OBSERVER, OPERATOR, REGISTRY].map((provide) => ({
        provide,
        useValue: queue,
      })),
      { provide: METRICS, useValue: metrics },
      { provide: BACKENDS, useValue: backends },
    ];
    return { module: PortsModule, providers, exports: providers };
  }
}
