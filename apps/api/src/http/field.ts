import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy, ValidateIf, ValidateNested, type ValidationArguments } from 'class-validator';
import type { Fault } from './problem.js';
import { object, type Rule } from './rule.js';

export interface FieldOptions {
  description: string;
  /** Default: false, the field may be left out. */
  required?: boolean;
  example?: unknown;
  /** For the reader of the documentation; whoever uses the field applies it. */
  default?: unknown;
  /** Where the entries of a list are checked elsewhere: their schema. */
  items?: { $ref: string };
}

/** What the value of a field must be, the other fields of its object considered. */
export interface FieldRule {
  /** Everything wrong with the value; pointers are relative to it. */
  faults(value: unknown, holder: Record<string, unknown>): Fault[];
}

/** A field of a request: its rule is what is checked and what is documented. */
export function Field(one: Rule, options: FieldOptions): PropertyDecorator {
  return (target, key) => {
    ApiProperty({ ...one.schema, required: false, ...options } as object)(target, key);
    checked(one, options.required === true)(target, key);
  };
}

/** A field that holds another DTO. */
export function NestedField(type: new () => object, options: FieldOptions): PropertyDecorator {
  return (target, key) => {
    ApiProperty({ required: false, ...options, type } as object)(target, key);
    checked(object(), options.required === true)(target, key);
    ValidateNested()(target, key);
    nestedTypes.set(target, new Map([...(nestedTypes.get(target) ?? []), [key as string, type]]));
  };
}

/** Two fields of which only one may be given; put on one of them. */
export function Excludes(other: string): PropertyDecorator {
  return dependsOn(other, `must not be given together with ${other}`, (value) => value === undefined);
}

/** A field that means something only where another one has this value. */
export function OnlyWith(other: string, wanted: string): PropertyDecorator {
  return dependsOn(other, `must not be given unless ${other} is ${wanted}`, (value) => value === wanted);
}

/** The DTO class that a field's value is an instance of. */
export function nestedTypeOf(type: new () => object, key: string): (new () => object) | undefined {
  for (let of = type.prototype as object | null; of; of = Object.getPrototypeOf(of) as object | null) {
    const nested = nestedTypes.get(of)?.get(key);
    if (nested) return nested;
  }
  return undefined;
}

function dependsOn(other: string, detail: string, allows: (value: unknown) => boolean): PropertyDecorator {
  return keeps('dependsOn', {
    faults: (_, holder) => (allows(holder[other]) ? [] : [{ pointer: '', detail }]),
  });
}

const nestedTypes = new WeakMap<object, Map<string, new () => object>>();

function checked(one: Rule, required: boolean): PropertyDecorator {
  return (target, key) => {
    keeps('rule', one)(target, key);
    if (!required) ValidateIf((_, value: unknown) => value !== undefined)(target, key as string);
  };
}

/** Any validator of class-validator's would find the same; ours needs the rule itself, which finds every fault and its place. */
function keeps(name: string, one: FieldRule): PropertyDecorator {
  return (target, key) => {
    const validate = (value: unknown, args?: ValidationArguments): boolean =>
      one.faults(value, args?.object as Record<string, unknown>).length === 0;
    ValidateBy({ name, validator: { validate } }, { context: one, message: 'breaks its rule' })(
      target,
      key as string,
    );
  };
}
