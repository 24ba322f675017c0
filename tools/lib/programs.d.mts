// Types for the suites under test/; the meaning is documented in programs.mjs.
export function ensurePrograms(names: readonly string[]): Promise<void>;
