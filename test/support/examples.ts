import { execFile, spawnSync, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { ensurePrograms } from '../../tools/lib/programs.mjs';
import { root } from '../../tools/lib/root.mjs';

export const LANGUAGES = ['bash', 'python', 'typescript', 'go'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Programs of examples/ are run with these; only Go may be missing, since nobody should have to install 200 MB for a test. */
export const isThere = (language: Language): boolean =>
  language !== 'go' || spawnSync('go', ['version']).status === 0;

export interface Examples {
  /** The words of a command line. */
  command(language: Language, program: 'worker' | 'submit'): [string, ...string[]];
  cleanup(): void;
}

/** Compiles what has to be, and installs what is missing. */
export async function buildExamples(): Promise<Examples> {
  await ensurePrograms(['bash', 'curl', 'jq', 'python3']);
  const dir = mkdtempSync(join(tmpdir(), 'fairlane-examples-'));
  for (const program of ['worker', 'submit']) {
    const source = readFileSync(join(root, `examples/typescript/${program}.ts`), 'utf8');
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
    writeFileSync(join(dir, `${program}.mjs`), ts.transpileModule(source, { compilerOptions }).outputText);
  }
  if (isThere('go')) {
    const options: SpawnOptions = { cwd: join(root, 'examples/go') };
    await promisify(execFile)('go', ['vet', './...'], options);
    await promisify(execFile)('go', ['build', '-o', dir, './...'], options);
  }
  return {
    command: (language, program) =>
      ({
        bash: [join(root, `examples/bash/${program}.sh`)] as [string],
        python: [join(root, `examples/python/${program}.py`)] as [string],
        typescript: [process.execPath, join(dir, `${program}.mjs`)] as [string, string],
        go: [join(dir, program)] as [string],
      })[language],
    cleanup: () => rmSync(dir, { recursive: true }),
  };
}
