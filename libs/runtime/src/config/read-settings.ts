import { customCleanEnv } from 'envalid';
import { ConfigError, type ConfigProblem } from './config-error.js';
import type { Setting } from './setting.js';
import type { SettingRecords, SettingsOf, SettingsTable, SettingValues } from './settings-table.js';
import { nearest } from './spelling.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ReadSettingsOptions {
  /**
   * Variables that other processes of the same deployment read from the same environment, so that they are not taken
   * for spelling mistakes here. Default: none.
   */
  readonly siblings?: readonly string[];
}

/**
 * Reads all tables of a process at once and gives their values, frozen, under the same names:
 * `readSettings({ process: processSettings, redis: redisSettings }).redis.host`.
 *
 * An empty variable counts as unset. A variable that starts with `FAIRLANE_`, or with `WORKER_` when a table declares
 * one, must be declared in one of the tables.
 *
 * @throws ConfigError listing every variable that is bad, unknown or in contradiction to another one
 */
export function readSettings<T extends Readonly<Record<string, SettingsTable>>>(
  tables: T,
  env: Environment = process.env,
  options: ReadSettingsOptions = {},
): { readonly [K in keyof T]: SettingsOf<T[K]> } {
  const present = Object.fromEntries(
    Object.entries(env).filter(([, text]) => text !== undefined && text.trim() !== ''),
  );
  const given = new Set(Object.keys(present));
  const problems: ConfigProblem[] = [];
  const result = Object.entries(tables).map(([name, table]) => {
    const values = readTable(table, present, problems);
    if (values) problems.push(...(table.check?.(values, given) ?? []));
    return [name, values] as const;
  });
  problems.push(...unknownVariables(Object.values(tables), given, options.siblings ?? []));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(Object.fromEntries(result)) as { readonly [K in keyof T]: SettingsOf<T[K]> };
}

/** The values, or undefined when a variable is bad and was added to `problems`. */
function readTable(
  table: SettingsTable,
  env: Environment,
  problems: ConfigProblem[],
): SettingValues<SettingRecords> | undefined {
  const settings = Object.values(table.settings);
  const specs = Object.fromEntries(settings.map((setting) => [setting.env, setting.validator]));
  let bad: string[] = [];
  const cleaned: Readonly<Record<string, unknown>> = customCleanEnv(
    env,
    specs,
    (values) => values as Record<string, unknown>,
    {
      reporter: ({ errors }) => void (bad = Object.keys(errors)),
    },
  );
  for (const setting of settings.filter(({ env: name }) => bad.includes(name))) {
    problems.push({ env: setting.env, message: explain(setting, env[setting.env]) });
  }
  if (bad.length > 0) return undefined;
  const entries = Object.entries(table.settings).map(([key, setting]) => [key, cleaned[setting.env]]);
  return Object.freeze(Object.fromEntries(entries));
}

function explain(setting: Setting<unknown>, text: string | undefined): string {
  if (text === undefined) return `${setting.env} is required: expected ${setting.expected}`;
  return `${setting.env}=${setting.secret ? '(hidden)' : quote(text)}: expected ${setting.expected}`;
}

// JSON quoting keeps one problem on one line, whatever bytes the variable holds.
function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

const ownPrefixes = ['FAIRLANE_', 'WORKER_'];

function unknownVariables(
  tables: readonly SettingsTable[],
  given: ReadonlySet<string>,
  siblings: readonly string[],
): ConfigProblem[] {
  const known = new Set(tables.flatMap((table) => Object.values(table.settings).map(({ env }) => env)));
  // An API that shares its environment with workers must not trip over WORKER_CONCURRENCY.
  const prefixes = ownPrefixes.filter(
    (prefix) => prefix === 'FAIRLANE_' || [...known].some((name) => name.startsWith(prefix)),
  );
  return [...given]
    .filter((name) => prefixes.some((prefix) => name.startsWith(prefix)))
    .filter((name) => !known.has(name) && !siblings.includes(name))
    .map((name) => {
      const meant = nearest(name, known);
      return { env: name, message: `${name} is not a setting${meant ? `: did you mean ${meant}?` : ''}` };
    });
}
