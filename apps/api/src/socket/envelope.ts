import { Field } from '../http/field.js';
import { Problem, type Fault } from '../http/problem.js';
import * as is from '../http/rule.js';
import { check } from '../http/validation.js';

/** What every message is, in either direction. */
export interface Message {
  type: string;
  /** Of an answer: as in the message that it answers. */
  requestId?: string;
  body?: object;
}

/** What a client may call a message. */
export const requestIdRule = is.rule(
  'must be text of 1 to 128 characters',
  { type: 'string', minLength: 1, maxLength: 128 },
  (value) => typeof value === 'string' && value.length >= 1 && value.length <= 128,
);

/** A message as a client sends it. */
class EnvelopeDto implements Message {
  @Field(is.text(64), { required: true, description: 'The kind of message.' })
  type!: string;

  @Field(requestIdRule, { description: 'Returned with the answer.' })
  requestId?: string;

  @Field(is.object(), { description: 'What the message says.' })
  body?: object;
}

/** @throws Problem `malformed-message` */
export function checkEnvelope(plain: unknown): Message {
  const { value, faults } = check(EnvelopeDto, plain);
  if (faults.length > 0) throw malformed(faults);
  return value;
}

/** What an answer should say it is for, as far as can be told. */
export function requestIdOf(plain: unknown): string | undefined {
  if (!is.isObject(plain) || requestIdRule.faults(plain['requestId']).length > 0) return undefined;
  return plain['requestId'] as string;
}

/** Only the first fault is told, since its pointer would lead into the body. */
export function malformed([first]: readonly Fault[]): Problem {
  return new Problem('malformed-message', {
    detail: first && `${first.pointer.slice(1) || 'The message'} ${first.detail}.`,
  });
}
