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
export const queueParam = nameParam('queue', 'The name of the queue.', 'emails');

/** The tenant in the path, as documented. */
export const tenantParam = nameParam(
  'tenant',
  'The name of the tenant, percent-encoded where it needs it.',
  'acme',
);

/** The worker in the path, as documented. */
export const workerParam = nameParam(
  'workerId',
  'The id of the worker, as in its lease requests, percent-encoded where it needs it.',
  'mailer-7f3a',
);

/** The task in the path, as documented; the engine checks it. */
export const taskParam: ApiParamOptions = {
  name: 'id',
  description: 'queue~key, percent-encoded where the key needs it.',
  schema: { type: 'string', example: 'emails~order-42' },
};

function nameParam(kind: Kind, description: string, example: string): ApiParamOptions {
  return { name: kind, description, schema: { ...name(kind).schema, example } } as ApiParamOptions;
}
