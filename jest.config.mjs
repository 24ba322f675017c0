/** One runner for every test: specs beside the code and the suites under test/. */
export default {
  testEnvironment: 'node',
  // A worker that has run fifty suites has 1.2 GB, and the model test took twice as long in it.
  workerIdleMemoryLimit: '512MB',
  // Two processes take longer than Jest's 5 s to start where every core is busy. Tests wait for events; this ends what hangs.
  testTimeout: 30_000,
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  testMatch: ['<rootDir>/{apps,libs,tools}/**/*.spec.ts', '<rootDir>/test/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@app/queue$': '<rootDir>/libs/queue/src/index.ts',
    '^@app/queue/testing$': '<rootDir>/libs/queue/src/testing/index.ts',
    '^@app/runtime$': '<rootDir>/libs/runtime/src/index.ts',
    // Sources import "./x.js", as Node's ES modules want; under Jest the file is x.ts.
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
        },
        module: { type: 'es6' },
      },
    ],
  },
};
