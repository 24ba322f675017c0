import { getMetadataStorage, ValidationTypes } from 'class-validator';
import { nestedTypeOf, type FieldRule } from './field.js';

/** What `validation.ts` does for a DTO: its decorators, read once instead of with every request. */
export interface Plan {
  dto: new () => object;
  /** In the order in which they are checked. */
  fields: ReadonlyMap<string, PlannedField>;
}

interface PlannedField {
  required: boolean;
  rules: readonly FieldRule[];
  /** The DTO that its value is an instance of. */
  nested: (new () => object) | undefined;
}

/** The plan of a class; one without fields for a class that is no DTO. */
export function planOf(dto: new () => object): Plan {
  const found = plans.get(dto);
  if (found) return found;
  const plan = { dto, fields: fieldsOf(dto) };
  plans.set(dto, plan);
  return plan;
}

const plans = new WeakMap<new () => object, Plan>();

function fieldsOf(dto: new () => object): Map<string, PlannedField> {
  const fields = new Map<string, PlannedField>();
  const metadata = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
  for (const { propertyName: key, type, context } of metadata) {
    const { required, rules } = fields.get(key) ?? { required: true, rules: [] };
    fields.set(key, {
      required: required && type !== ValidationTypes.CONDITIONAL_VALIDATION,
      rules: context === undefined ? rules : [...rules, context as FieldRule],
      nested: nestedTypeOf(dto, key),
    });
  }
  return fields;
}
