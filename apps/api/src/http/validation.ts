import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { planOf, type Plan } from './validation-plan.js';
import { pointerTo } from './json-pointer.js';
import { Problem, type Fault } from './problem.js';
import { isObject, UNKNOWN_FIELD } from './rule.js';

/** Checks every body and query whose parameter is typed with a DTO class. */
@Injectable()
export class DtoPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (!metatype || !isDto(metatype)) return value;
    if (type === 'body') return checkBody(metatype, value);
    if (type === 'query') return checkQuery(metatype, value as Record<string, unknown>);
    return value;
  }
}

/** @throws Problem `malformed-body` without a body, `invalid-request` with every fault of the body */
export function checkBody<T extends object>(dto: new () => T, body: unknown): T {
  if (body === undefined) throw new Problem('malformed-body', { detail: 'The body is empty.' });
  const { value, faults } = check(dto, body);
  if (faults.length > 0) throw invalid(faults);
  return value;
}

/** For a request that needs no body: what is in one would be ignored, which its sender should know. */
export function refuseFields(body: unknown): void {
  if (body === undefined || body === null) return;
  if (!isObject(body)) throw invalid([{ pointer: '', detail: 'must be a JSON object' }]);
  const faults = Object.keys(body).map((key) => ({ pointer: pointerTo(key), detail: UNKNOWN_FIELD }));
  if (faults.length > 0) throw invalid(faults);
}

/** An instance of the DTO, and everything wrong with it: unknown fields, missing ones, broken rules, at any depth. */
export function check<T extends object>(dto: new () => T, plain: unknown): { value: T; faults: Fault[] } {
  if (!isObject(plain))
    return { value: new dto(), faults: [{ pointer: '', detail: 'must be a JSON object' }] };
  const plan = planOf(dto);
  const faults: Fault[] = [];
  const instance = instantiate(plan, plain, '', faults);
  findBroken(plan, instance, '', faults);
  return { value: instance as T, faults };
}

/** A refusal that lists faults; beyond a hundred, further ones would be noise. */
export function invalid(faults: readonly Fault[]): Problem {
  const more = faults.length > FAULTS_SHOWN ? ` ${FAULTS_SHOWN} of ${faults.length} faults are listed.` : '';
  const first = faults[0];
  const detail = first ? `${first.pointer.slice(1) || 'The request'} ${first.detail}.${more}` : undefined;
  return new Problem('invalid-request', { detail, errors: faults.slice(0, FAULTS_SHOWN) });
}

const FAULTS_SHOWN = 100;

function checkQuery<T extends object>(dto: new () => T, query: Record<string, unknown>): T {
  const { value, faults } = check(dto, withNumbers(dto, query));
  if (faults.length > 0) throw invalid(faults);
  return value;
}

/** A query is all text: what its DTO declares as a number is read as one, if it is written as one. */
function withNumbers(dto: new () => object, query: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(query).map(([key, value]) => {
    const isNumber = Reflect.getMetadata('design:type', dto.prototype as object, key) === Number;
    return [key, isNumber && typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/**
 * Done by hand, because class-transformer copies every value it passes, and a payload may be a megabyte; and because
 * class-validator, left to find unknown fields, trips over one that is named `constructor`.
 */
function instantiate(plan: Plan, plain: Record<string, unknown>, at: string, faults: Fault[]): Fields {
  const instance = new plan.dto() as Fields;
  for (const key of Object.keys(plain)) {
    const field = plan.fields.get(key);
    const value = plain[key];
    if (!field) faults.push({ pointer: at + pointerTo(key), detail: UNKNOWN_FIELD });
    else if (field.nested && isObject(value))
      instance[key] = instantiate(planOf(field.nested), value, at + pointerTo(key), faults);
    else instance[key] = value;
  }
  return instance;
}

/** What is wrong inside of a field is of interest only where the field itself is right. */
function findBroken(plan: Plan, instance: Fields, at: string, faults: Fault[]): void {
  for (const [key, { required, rules, nested }] of plan.fields) {
    const value = instance[key];
    if (value === undefined && !required) continue;
    const broken = rules.flatMap((rule) => rule.faults(value, instance));
    if (broken.length > 0) {
      const own = value === undefined ? REQUIRED : broken;
      for (const { pointer, detail } of own) faults.push({ pointer: at + pointerTo(key) + pointer, detail });
    } else if (nested) findBroken(planOf(nested), value as Fields, at + pointerTo(key), faults);
  }
}

const REQUIRED: readonly Fault[] = [{ pointer: '', detail: 'is required' }];

type Fields = Record<string, unknown>;

function isDto(metatype: abstract new (...args: never[]) => unknown): metatype is new () => object {
  return planOf(metatype as new () => object).fields.size > 0;
}
