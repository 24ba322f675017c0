import { execFile, spawnSync, type SpawnOptions } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { ensurePrograms } from '../../tools/lib/programs.mjs';
import { root } from '../../tools/lib/root.mjs';

export const LANGUAGES = ['bash', 'python', 'typescript', 'go'] as const;
export type Language = (typeof LANGUAGES)[number];
/** What executes tasks: a program over HTTP in each language, and one on a WebSocket. */
export type Kind = Language | 'socket';

/** Programs of examples/ are run with these; only Go may be missing, since nobody should have to install 200 MB for a test. */
export const isThere = (language: Kind): boolean =>
  language !== 'go' || spawnSync('go', ['version']).status === 0;

type Command = [string, ...string[]];

export interface Examples {
  /** The words of a command line. */
  worker(kind: Kind): Command;
  submit(language: Language): Command;
  /** For their temporary files: one that is killed leaves some. */
  dir: string;
  cleanup(): void;
}

const compilerOptions = {
  module: ts.ModuleKind.ESNext,
  target: ts.ScriptTarget.ES2023,
  rewriteRelativeImportExtensions: true,
};

/** Compiles what has to be, and installs what is missing. */
export async function buildExamples(): Promise<Examples> {
  await ensurePrograms(['bash', 'curl', 'jq', 'python3']);
  const dir = mkdtempSync(join(tmpdir(), 'fairlane-examples-'));
  for (const file of readdirSync(join(root, 'examples/typescript'))) {
    const source = readFileSync(join(root, 'examples/typescript', file), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions });
    writeFileSync(join(dir, file.replace('.ts', '.js')), outputText);
  }
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  if (isThere('go')) {
    const options: SpawnOptions = { cwd: join(root, 'examples/go') };
    await promisify(execFile)('go', ['vet', './...'], options);
    await promisify(execFile)('go', ['build', '-o', dir, './...'], options);
  }
  const command = (language: Language, program: string): Command =>
    ({
      bash: [join(root, `examples/bash/${program}.sh`)] as Command,
      python: [join(root, `examples/python/${program}.py`)] as Command,
      typescript: [process.execPath, join(dir, `${program}.js`)] as Command,
      go: [join(dir, program)] as Command,
    })[language];
  return {
    worker: (kind) => (kind === 'socket' ? command('typescript', 'socket-worker') : command(kind, 'worker')),
    submit: (language) => command(language, 'submit'),
    dir,
    cleanup: () => rmSync(dir, { recursive: true }),
  };
}
