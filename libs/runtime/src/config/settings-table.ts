import type { ConfigProblem } from './config-error.js';
import type { Setting } from './setting.js';

/** Settings that belong together and are documented under one title. */
export interface SettingsTable<R extends SettingRecords = SettingRecords> {
  /** Heading on the reference page. */
  readonly title: string;
  readonly settings: R;
  /**
   * Finds settings which contradict each other. Called only when each of the table's variables is good by itself.
   * `given` holds the names of the variables that were really set, as opposed to defaulted.
   */
  check?(values: SettingValues<R>, given: ReadonlySet<string>): readonly ConfigProblem[];
}

export type SettingRecords = Readonly<Record<string, Setting<unknown>>>;

export type SettingValues<R extends SettingRecords> = {
  readonly [K in keyof R]: R[K] extends Setting<infer V> ? V : never;
};

/** What `readSettings` gives for a table: `type WorkerSettings = SettingsOf<typeof workerSettings>`. */
export type SettingsOf<T> = T extends SettingsTable<infer R> ? SettingValues<R> : never;

/** Declares a table; see `redis.ts` for one with contradictions to find. */
export function defineSettings<const R extends SettingRecords>(
  title: string,
  settings: R,
  check?: SettingsTable<R>['check'],
): SettingsTable<R> {
  return Object.freeze({ title, settings, check });
}
