import { makeExactValidator, type ValidatorSpec } from 'envalid';

/** One environment variable: where it is read, what it means, what it accepts. Made by the functions in `kinds.ts`. */
export interface Setting<T> {
  /** Name of the environment variable. */
  readonly env: string;
  /** One sentence for the reference page, ending in a full stop. */
  readonly description: string;
  /** What is accepted, as it follows the word "expected": "an integer, 1 to 100". */
  readonly expected: string;
  /** True when neither the value nor a part of it may be printed. */
  readonly secret: boolean;
  /** True when the process cannot start without it. */
  readonly required: boolean;
  /** The default as an operator would write it; empty when there is none. */
  readonly defaultText: string;
  readonly validator: ValidatorSpec<T>;
}

/**
 * What every kind of setting is declared with. A setting with neither `default` nor `required` may be absent and then
 * reads as `undefined`.
 */
export interface SettingOptions<T> {
  readonly env: string;
  readonly description: string;
  readonly default?: T;
  readonly required?: boolean;
  readonly secret?: boolean;
}

/** `T`, or `T | undefined` for a setting declared without `default` and without `required: true`. */
export type ValueOf<T, O> = O extends { readonly default: T } | { readonly required: true }
  ? T
  : T | undefined;

/** How a kind of setting reads and prints its values. */
export interface SettingKind<T> {
  readonly expected: string;
  /** Turns the text into a value; throws anything when the text is not acceptable. */
  readonly parse: (text: string) => T;
  /** Writes a value as an operator would. Default: `String(value)`. */
  readonly show?: (value: T) => string;
}

/** Builds a setting of one kind; `kinds.ts` has the ready-made ones, an app may add its own. */
export function setting<T, const O extends SettingOptions<T>>(
  kind: SettingKind<T>,
  options: O,
): Setting<ValueOf<T, O>> {
  const show = kind.show ?? String;
  const required = options.required === true;
  const validate = makeExactValidator<T>((text) => {
    try {
      return kind.parse(text);
    } catch (cause) {
      // envalid passes over anything thrown that is not an Error of its own realm.
      throw new Error(`expected ${kind.expected}`, { cause });
    }
  });
  // envalid reads a missing "default" key as "required" and an undefined default as "optional".
  const validator = required
    ? validate({ desc: options.description })
    : validate({ desc: options.description, default: options.default as never });
  return Object.freeze({
    env: options.env,
    description: options.description,
    expected: kind.expected,
    secret: options.secret === true,
    required,
    defaultText: options.default === undefined ? '' : show(options.default),
    validator,
  });
}
