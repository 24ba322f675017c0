import { readFileSync } from 'node:fs';

/** Of the program, as its package.json says. Compiled, the code is one folder deeper. */
export const VERSION: string = readVersion(['../../../package.json', '../../../../package.json']);

function readVersion([path, ...others]: readonly string[]): string {
  if (path === undefined) return 'unknown';
  try {
    const text = readFileSync(new URL(path, import.meta.url), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return readVersion(others);
  }
}
