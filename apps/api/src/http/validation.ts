import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { nestedTypeOf } from './field.js';
import { pointerTo } from './json-pointer.js';
import { Problem, type Fault } from './problem.js';
import { isObject, UNKNOWN_FIELD, type Rule } from './rule.js';

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
  const { instance, unknown } = instantiate(dto, plain, '');
  const errors = validateSync(instance, { forbidUnknownValues: true });
  return { value: instance as T, faults: [...unknown, ...errors.flatMap((error) => faultsOf(error, ''))] };
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
function instantiate(
  dto: new () => object,
  plain: Record<string, unknown>,
  at: string,
): { instance: object; unknown: Fault[] } {
  const instance = new dto();
  const known = fieldsOf(dto);
  const unknown: Fault[] = [];
  for (const [key, value] of Object.entries(plain)) {
    if (!known.has(key)) {
      unknown.push({ pointer: at + pointerTo(key), detail: UNKNOWN_FIELD });
      continue;
    }
    const type = nestedTypeOf(dto, key);
    if (!type || !isObject(value)) {
      Object.assign(instance, { [key]: value });
      continue;
    }
    const nested = instantiate(type, value, at + pointerTo(key));
    Object.assign(instance, { [key]: nested.instance });
    unknown.push(...nested.unknown);
  }
  return { instance, unknown };
}

function fieldsOf(dto: Dto): ReadonlySet<string> {
  const found = fields.get(dto);
  if (found) return found;
  const metadata = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
  const names = new Set(metadata.map(({ propertyName }) => propertyName));
  fields.set(dto, names);
  return names;
}

const fields = new WeakMap<Dto, ReadonlySet<string>>();

type Dto = abstract new (...args: never[]) => unknown;

function faultsOf(error: ValidationError, parent: string): Fault[] {
  const pointer = parent + pointerTo(error.property);
  const broken = Object.values((error.contexts ?? {}) as Record<string, Rule>);
  if (broken.length > 0) {
    if (error.value === undefined) return [{ pointer, detail: 'is required' }];
    return broken.flatMap((rule) =>
      rule.faults(error.value).map((fault) => ({ pointer: pointer + fault.pointer, detail: fault.detail })),
    );
  }
  if (error.children?.length) return error.children.flatMap((child) => faultsOf(child, pointer));
  return [{ pointer, detail: 'is not valid' }];
}

function isDto(metatype: Dto): metatype is new () => object {
  return fieldsOf(metatype).size > 0;
}
