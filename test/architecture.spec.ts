import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/*
 * A guard that guards nothing looks exactly like one that has nothing to report. So the project's own configuration is
 * run on two small trees: one that keeps every rule, where each tool must be silent, and one that breaks every rule
 * once, where each breach must be reported.
 */

const root = resolve(import.meta.dirname, '..');
const trees: Record<'good' | 'bad', string> = { good: '', bad: '' };
const results: Record<string, Result> = {};

interface Result {
  readonly code: number;
  readonly output: string;
}

/** Path and text of each file of the tree that keeps the rules. */
const goodFiles: Record<string, string> = {
  'apps/api/src/main.ts': `
    import { openQueue } from '@app/queue';
    import { metrics } from '@app/runtime';
    openQueue(metrics);`,
  'apps/api/src/main.spec.ts': `
    import { builder } from '@app/queue/testing';
    test('something is built', () => expect(builder).toBe(1));`,
  'apps/worker/src/main.ts': `
    import { openQueue, QueueModule } from '@app/queue';
    openQueue(QueueModule);`,
  'libs/queue/src/index.ts': `
    export { openQueue } from './redis/redis-queue.js';
    export { openMemory } from './memory/memory-queue.js';
    export { run } from './worker/runner.js';
    export { sweep } from './chores/janitor.js';
    export { measured } from './metered-queue.js';
    export { QueueModule } from './queue.module.js';`,
  'libs/queue/src/core/task.ts': `export const task = (x: unknown): string => typeof x;`,
  'libs/queue/src/redis/redis-queue.ts': `
    import { Redis } from 'ioredis';
    import { task } from '../core/task.js';
    export const openQueue = (x: unknown): string => task(x ?? Redis);`,
  'libs/queue/src/memory/memory-queue.ts': `
    import { task } from '../core/task.js';
    export const openMemory = task;`,
  'libs/queue/src/worker/runner.ts': `
    import { task } from '../core/task.js';
    export const run = task;`,
  'libs/queue/src/chores/janitor.ts': `
    import { task } from '../core/task.js';
    export const sweep = task;`,
  'libs/queue/src/metered-queue.ts': `
    import { task } from './core/task.js';
    export const measured = task;`,
  'libs/queue/src/queue.module.ts': `
    import { Module } from '@nestjs/common';
    @Module({})
    export class QueueModule {}`,
  'libs/queue/src/testing/index.ts': `export const builder = 1;`,
  'libs/runtime/src/index.ts': `export { metrics } from './metrics/registry.js';`,
  'libs/runtime/src/metrics/registry.ts': `
    import { Registry } from 'prom-client';
    export const metrics = new Registry();`,
  'libs/runtime/src/nest-logger.spec.ts': `
    import type { LoggerService } from '@nestjs/common';
    test('types of Nest are free', () => expect({} satisfies Partial<LoggerService>).toEqual({}));`,
  'test/support/redis.ts': `export { Redis } from 'ioredis';`,
  'test/queue.spec.ts': `
    import { Redis } from './support/redis.js';
    test('tests may know everything', () => expect(Redis).toBeDefined());`,
  'bench/enqueue.ts': `
    import { builder } from '@app/queue/testing';
    export const rate = builder;`,
  'examples/typescript/worker.ts': `console.log('working');`,
  'tools/start.mjs': `console.log('started');`,
};

/** One breach, or several of the same, for each import rule: rule, file, text. */
const brokenImports: readonly (readonly [string, string, string])[] = [
  ['no-cycles', 'libs/queue/src/core/a.ts', `import type { B } from './b.js';\nexport type A = B[];`],
  ['no-unresolvable', 'apps/api/src/nowhere.ts', `import 'no-such-package';`],
  ['no-undeclared-package', 'apps/api/src/undeclared.ts', `import 'ms';`],
  ['no-dev-package-in-production', 'apps/api/src/dev.ts', `import 'fast-check';`],
  ['apps-do-not-import-apps', 'apps/api/src/neighbour.ts', `import '../../worker/src/main.js';`],
  ['libs-do-not-import-apps', 'libs/runtime/src/upwards.ts', `import '../../../apps/api/src/main.js';`],
  ['libs-do-not-import-libs', 'libs/runtime/src/sideways.ts', `import '@app/queue';`],
  ['libs-do-not-import-libs', 'libs/queue/src/sideways.ts', `import '@app/runtime';`],
  [
    'apps-use-the-front-door',
    'apps/worker/src/deep.ts',
    `import '../../../libs/queue/src/redis/redis-queue.js';`,
  ],
  ['apps-use-the-front-door', 'apps/worker/src/built.ts', `import '@app/queue/testing';`],
  [
    'app-specs-use-the-front-doors',
    'apps/api/src/deep.spec.ts',
    `import '../../../libs/queue/src/core/task.js';`,
  ],
  ['testing-is-for-tests', 'libs/queue/src/redis/built.ts', `import '../testing/index.js';`],
  ['nobody-imports-tests', 'apps/api/src/tested.ts', `import '../../../test/support/redis.js';`],
  ['nobody-imports-tests', 'libs/queue/src/benched.ts', `import '../../../bench/enqueue.js';`],
  ['core-is-pure', 'libs/queue/src/core/impure.ts', `import 'ioredis';`],
  ['core-is-pure', 'libs/queue/src/core/with-node.ts', `import 'node:crypto';`],
  ['core-is-pure', 'libs/queue/src/core/with-adapter.ts', `import '../memory/memory-queue.js';`],
  ['adapters-know-only-core', 'libs/queue/src/redis/leans.ts', `import '../memory/memory-queue.js';`],
  ['adapters-know-only-core', 'libs/queue/src/memory/leans.ts', `import '../redis/redis-queue.js';`],
  ['adapters-know-only-core', 'libs/queue/src/partitions/leans.ts', `import '../memory/memory-queue.js';`],
  ['agents-know-only-ports', 'libs/queue/src/worker/leans.ts', `import '../redis/redis-queue.js';`],
  ['agents-know-only-ports', 'libs/queue/src/chores/leans.ts', `import '../queue.module.js';`],
  ['metered-queue-knows-only-core', 'libs/queue/src/metered-queue.ts', `import './redis/redis-queue.js';`],
  ['only-the-redis-folder-knows-redis', 'apps/api/src/redis.ts', `import 'ioredis';`],
  ['only-the-redis-folder-knows-redis', 'libs/queue/src/memory/redis.ts', `import 'ioredis';`],
  ['only-the-bullmq-folder-knows-bullmq', 'libs/queue/src/bullmq/eager.ts', `import 'bullmq';`],
  ['nest-only-in-modules-of-libs', 'libs/queue/src/redis/nest.ts', `import '@nestjs/common';`],
  ['nest-only-in-modules-of-libs', 'libs/runtime/src/nest.ts', `import '@nestjs/core';`],
  ['only-the-runtime-knows-prometheus', 'apps/worker/src/prometheus.ts', `import 'prom-client';`],
];

/** Rule and text, each in a file of its own. */
const brokenCode: Readonly<Record<string, string>> = {
  'no-floating-promises': `export const go = (): void => {\n  Promise.resolve(1);\n};\n`,
  'no-misused-promises': `export const go = (): void => [1].forEach(async () => Promise.resolve());\n`,
  'await-thenable': `export const go = async (): Promise<number> => await 1;\n`,
  'no-explicit-any': `export const go = (x: any): unknown => x;\n`,
  eqeqeq: `export const go = (x: unknown): boolean => x == 1;\n`,
  'no-eval': `export const go = (): unknown => eval('1');\n`,
  'no-console': `export const go = (): void => console.log(1);\n`,
  'no-unused-vars': `export const go = (): number => {\n  const unused = 1;\n  return 2;\n};\n`,
};

const planted = {
  format: 'apps/api/src/unformatted.ts',
  type: 'apps/api/src/mistyped.ts',
  export: 'libs/queue/src/redis/unused-export.ts',
  file: 'libs/queue/src/redis/unused-file.ts',
};

const lintFile = (rule: string): string => `libs/queue/src/lint/${rule}.ts`;

const badFiles: Record<string, string> = {
  ...goodFiles,
  'libs/queue/src/core/b.ts': `import type { A } from './a.js';\nexport type B = A[];`,
  ...Object.fromEntries(brokenImports.map(([, path, text]) => [path, text])),
  ...Object.fromEntries(Object.entries(brokenCode).map(([rule, text]) => [lintFile(rule), text])),
  [planted.format]: `export const a   = "b"`,
  [planted.type]: `export const a: number = 'b';`,
  [planted.export]: `export const used = 1;\nexport const neverImported = 2;`,
  [planted.file]: `export const lonely = 1;`,
  'libs/queue/src/redis/redis-queue.ts':
    goodFiles['libs/queue/src/redis/redis-queue.ts'] +
    `\nimport { used } from './unused-export.js';\nvoid used;`,
};

/** Whatever decides what the tools report, as the project has it. */
const configuration = [
  '.dependency-cruiser.cjs',
  '.oxlintrc.json',
  '.prettierrc.json',
  '.prettierignore',
  'knip.json',
  'nest-cli.json',
  'package.json',
  'tsconfig.json',
  'jest.config.mjs',
  'apps/api/tsconfig.app.json',
  'apps/worker/tsconfig.app.json',
  'libs/queue/tsconfig.lib.json',
  'libs/runtime/tsconfig.lib.json',
];

beforeAll(async () => {
  trees.good = plant(goodFiles);
  // Formatted, so that whatever the tool reports of this tree is a fault of its configuration.
  await run(trees.good, 'prettier', '--write', '--log-level', 'silent', '.');
  trees.bad = plant(badFiles);
  for (const [name, tree] of Object.entries(trees)) {
    const [format, lint, types, imports, unused] = await Promise.all([
      runScript(tree, 'check:format'),
      runScript(tree, 'check:lint', '--format=unix'),
      runScript(tree, 'check:types', '--pretty', 'false'),
      runScript(tree, 'check:imports'),
      runScript(tree, 'check:unused', '--include', 'files,exports', '--no-config-hints'),
    ]);
    Object.assign(results, {
      [`${name} format`]: format,
      [`${name} lint`]: lint,
      [`${name} types`]: types,
      [`${name} imports`]: imports,
      [`${name} unused`]: unused,
    });
  }
}, 120_000);

afterAll(() => {
  for (const tree of Object.values(trees)) if (tree) rmSync(tree, { recursive: true, force: true });
});

describe('on a tree that keeps every rule', () => {
  test.each(['format', 'lint', 'types', 'unused'])('the check of %s is silent', (check) => {
    expect(results[`good ${check}`]).toMatchObject({ code: 0 });
  });

  test('the import rules report nothing', () => {
    expect(violationsIn(results['good imports']!)).toEqual([]);
    expect(results['good imports']!.code).toBe(0);
  });
});

describe('on a tree that breaks every rule once', () => {
  test.each(['format', 'lint', 'types', 'imports', 'unused'])('the check of %s fails', (check) => {
    expect(results[`bad ${check}`]!.code).not.toBe(0);
  });

  test.each(brokenImports.map(([rule, path]) => [rule, path]))('%s reports %s', (rule, path) => {
    expect(violationsIn(results['bad imports']!)).toContainEqual([rule, path]);
  });

  test('no import rule is without a breach that proves it', () => {
    const rules = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')).forbidden as {
      name: string;
    }[];
    const proven = new Set(brokenImports.map(([rule]) => rule));
    expect(rules.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
  });

  test.each(Object.keys(brokenCode))('lint reports %s', (rule) => {
    const lines = results['bad lint']!.output.split('\n').filter((line) =>
      line.startsWith(`${lintFile(rule)}:`),
    );
    expect(lines.join('\n')).toContain(`(${rule})`);
  });

  test('the format check names the file that is not formatted', () => {
    expect(results['bad format']!.output).toContain(planted.format);
  });

  test('the compiler names the file that does not compile', () => {
    expect(results['bad types']!.output).toContain(`${planted.type}(1,14): error TS2322`);
  });

  test('the check of unused code names the file and the export nobody uses', () => {
    expect(results['bad unused']!.output).toContain(planted.file);
    expect(results['bad unused']!.output).toMatch(/neverImported\s.*unused-export\.ts/);
  });
});

function plant(files: Readonly<Record<string, string>>): string {
  const tree = mkdtempSync(join(tmpdir(), 'fairlane-architecture-'));
  for (const path of configuration) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    cpSync(join(root, path), join(tree, path));
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), `${text.replaceAll(/^ {4}/gm, '').trim()}\n`);
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

/** The command of a script of package.json, without npm's own second of starting. */
function runScript(tree: string, script: string, ...extra: string[]): Promise<Result> {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const [tool, ...args] = scripts[script]!.split(' ');
  return run(tree, tool!, ...args, ...extra);
}

function run(tree: string, tool: string, ...args: string[]): Promise<Result> {
  const options = {
    cwd: tree,
    maxBuffer: 50_000_000,
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
  };
  return new Promise((done) => {
    execFile(join(tree, 'node_modules/.bin', tool), args, options, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr });
    });
  });
}

/** Rule and file of each line such as "error no-cycles: libs/queue/src/core/a.ts → …". */
function violationsIn({ output }: Result): [string, string][] {
  return [...output.matchAll(/^\s*error ([\w-]+): (\S+)/gm)].map(([, rule, from]) => [rule!, from!]);
}
