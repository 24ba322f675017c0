import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy, ValidateIf, ValidateNested } from 'class-validator';
import { object, rule, type Rule } from './rule.js';

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
  return (target, key) => {
    ValidateBy(
      {
        name: 'dependsOn',
        validator: {
          validate: (_, args) => allows((args?.object as Record<string, unknown> | undefined)?.[other]),
        },
      },
      { context: rule(detail, {}, () => false), message: 'depends on another field' },
    )(target, key as string);
  };
}

const nestedTypes = new WeakMap<object, Map<string, new () => object>>();

function checked(one: Rule, required: boolean): PropertyDecorator {
  return (target, key) => {
    ValidateBy(
      { name: 'rule', validator: { validate: (value: unknown) => one.faults(value).length === 0 } },
      // `validation.ts` takes the faults from the rule itself: one field can have several, each at its own place.
      { context: one, message: 'breaks its rule' },
    )(target, key as string);
    if (!required) ValidateIf((_, value: unknown) => value !== undefined)(target, key as string);
  };
}
