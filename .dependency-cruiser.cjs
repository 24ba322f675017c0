// The rules of who may import whom; ARCHITECTURE.md has the picture. test/architecture.spec.ts proves that each one bites.

const npm = (name) => `node_modules/${name}(/|$)`;
const specs = '\\.spec\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or lack a third. Types count too.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere, for example a package that is not installed.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      comment: 'A package that is there only because another one needs it may be gone tomorrow.',
      severity: 'error',
      from: {},
      // Jest gives its globals to ES modules only by this import; types are gone when the program runs.
      to: {
        dependencyTypes: ['npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
        pathNot: npm('@jest/globals'),
      },
    },
    {
      name: 'no-dev-package-in-production',
      comment: 'The image holds production dependencies only.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [specs, '^libs/queue/src/testing/'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'apps-do-not-import-apps',
      comment: 'Each app is a process of its own; what two of them share belongs in a library.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-do-not-import-apps',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'libs-do-not-import-libs',
      comment:
        'The engine must not know Prometheus, the runtime must not know tasks; apps bring them together.',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/', pathNot: '^libs/$1/' },
    },
    {
      name: 'apps-use-the-front-door',
      comment: 'What a library promises is what its index.ts exports.',
      severity: 'error',
      from: { path: '^apps/', pathNot: specs },
      to: { path: '^libs/', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'app-specs-use-the-front-doors',
      comment: 'Specs may also use the testing door.',
      severity: 'error',
      from: { path: `^apps/.*${specs}` },
      to: { path: '^libs/', pathNot: '^libs/[^/]+/src/(testing/)?index\\.ts$' },
    },
    {
      name: 'testing-is-for-tests',
      comment: 'Builders and conformance suites must not reach production.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: [specs, '^libs/queue/src/testing/'] },
      to: { path: '^libs/queue/src/testing/' },
    },
    {
      name: 'nobody-imports-tests',
      severity: 'error',
      from: { path: '^(apps|libs|tools)/' },
      to: { path: ['^(test|bench)/', specs] },
    },
    {
      name: 'core-is-pure',
      comment: 'Policies and ports are plain TypeScript: no Nest, no Redis, no Node.',
      severity: 'error',
      from: { path: '^libs/queue/src/core/', pathNot: specs },
      to: { pathNot: '^libs/queue/src/core/' },
    },
    {
      name: 'adapters-know-only-core',
      comment:
        'The implementations of the ports must not lean on each other, or the one could not check the other.',
      severity: 'error',
      from: { path: '^libs/queue/src/(redis|memory|partitions|bullmq|routing)/', pathNot: specs },
      to: {
        path: '^libs/queue/src/',
        pathNot: ['^libs/queue/src/core/', '^libs/queue/src/$1/', '^libs/queue/src/restricted-queue\\.ts$'],
      },
    },
    {
      name: 'agents-know-only-ports',
      comment: 'Runner and chores work with any implementation of the ports.',
      severity: 'error',
      from: { path: '^libs/queue/src/(worker|chores)/', pathNot: specs },
      to: {
        path: '^libs/queue/src/',
        pathNot: ['^libs/queue/src/core/', '^libs/queue/src/(worker|chores)/'],
      },
    },
    {
      name: 'metered-queue-knows-only-core',
      severity: 'error',
      from: { path: '^libs/queue/src/metered-queue\\.ts$' },
      to: { pathNot: '^libs/queue/src/core/' },
    },
    {
      name: 'only-the-redis-folder-knows-redis',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/queue/src/redis/'] },
      to: { path: npm('ioredis') },
    },
    {
      name: 'only-the-bullmq-folder-knows-bullmq',
      comment: 'Who does not use it does not load it: there it is imported when it is opened.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: ['^libs/queue/src/bullmq/store\\.ts$'] },
      to: { path: npm('bullmq'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nest-only-in-modules-of-libs',
      comment: 'A program without Nest can use the libraries. Types cost nothing at run time.',
      severity: 'error',
      from: { path: '^libs/', pathNot: ['\\.module\\.ts$', '\\.module\\.spec\\.ts$'] },
      to: { path: npm('@nestjs'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-the-runtime-knows-prometheus',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/runtime/src/metrics/' },
      to: { path: npm('prom-client'), dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|data|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    combinedDependencies: false,
  },
};
