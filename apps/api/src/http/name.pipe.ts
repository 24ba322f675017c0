import { Param, type PipeTransform } from '@nestjs/common';
import type { ApiParamOptions } from '@nestjs/swagger';
import { name } from './rule.js';
import { invalid } from './validation.js';

type Kind = 'queue' | 'tenant' | 'workerId';

/** A name in the path, checked as one of its kind. @throws Problem `invalid-request` */
export function NameParam(kind: Kind): ParameterDecorator {
  return Param(kind, new NamePipe(kind));
}

class NamePipe implements PipeTransform<string, string> {
  constructor(private readonly kind: Kind) {}

  transform(value: string): string {
    const faults = name(this.kind).faults(value);
    if (faults.length > 0) throw invalid(faults.map((fault) => ({ ...fault, pointer: `/${this.kind}` })));
    return value;
  }
}

/** The queue in the path, as documented. */
export const queueParam = {
  name: 'queue',
  description: 'The name of the queue.',
  example: 'emails',
  schema: name('queue').schema,
} as ApiParamOptions;

/** The tenant in the path, as documented. */
export const tenantParam = {
  name: 'tenant',
  description: 'The name of the tenant, percent-encoded where it needs it.',
  example: 'acme',
  schema: name('tenant').schema,
} as ApiParamOptions;

/** The worker in the path, as documented. */
export const workerParam = {
  name: 'workerId',
  description: 'The id of the worker, as in its lease requests, percent-encoded where it needs it.',
  example: 'mailer-7f3a',
  schema: name('workerId').schema,
} as ApiParamOptions;
