/** Something wrong with one variable. The text is complete: name, value where it may be shown, expectation. */
export interface ConfigProblem {
  /** Name of the environment variable, or of the first of several that contradict each other. */
  readonly env: string;
  /** A sentence part that starts with the variable's name. */
  readonly message: string;
}

/** The environment cannot be used. Lists everything that is wrong, so that one restart is enough to mend it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly ConfigProblem[]) {
    super(['Configuration cannot be used:', ...problems.map(({ message }) => `  ${message}`)].join('\n'));
  }
}
