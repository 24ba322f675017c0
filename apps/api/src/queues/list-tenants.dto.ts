import { LIMITS } from '@app/queue';
import { Field } from '../http/field.js';
import * as is from '../http/rule.js';

/** Which tenants to list. */
export class ListTenantsDto {
  @Field(is.integer(1, LIMITS.listLimitMax), { description: 'At most this many.', default: 50, example: 50 })
  limit?: number;

  @Field(is.text(4_096), { description: '`nextCursor` of the page before.' })
  cursor?: string;
}
