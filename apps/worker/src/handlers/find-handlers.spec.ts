import 'reflect-metadata';
import { readdirSync, readFileSync } from 'node:fs';
import { Injectable, Module, Scope, type Type } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { IsInt } from 'class-validator';
import { WorkerModule } from '../worker.module.js';
import { findHandlers } from './find-handlers.js';
import { Handler, type TaskHandler } from './handler.js';
import { HandlersModule } from './handlers.module.js';

class APayload {
  @IsInt()
  n!: number;
}

@Handler({ type: 'a', queue: 'slow', concurrency: 2, payload: APayload })
class AHandler implements TaskHandler<APayload> {
  run({ n }: APayload) {
    return n + 1;
  }
}

@Handler({ type: 'a' })
class SameTypeHandler {
  run() {}
}

@Handler({ type: 'no run' })
class NoRunHandler {}

@Handler({ type: 'a b' })
class BadNameHandler {
  run() {}
}

@Injectable()
class NoDecorator {
  run() {}
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {}

@Handler({ type: 'scoped' })
class ScopedHandler {
  constructor(readonly dependency: PerRequest) {}
  run() {}
}
Reflect.defineMetadata('design:paramtypes', [PerRequest], ScopedHandler);

async function find(providers: Type[], expected: Type[] = providers, others: Type[] = []) {
  @Module({ providers: others, exports: others })
  class Others {}
  @Module({ providers, imports: [Others] })
  class TestHandlers {}
  @Module({ imports: [DiscoveryModule, TestHandlers] })
  class TestModule {}
  const app = await NestFactory.createApplicationContext(TestModule, { logger: false, abortOnError: false });
  try {
    return findHandlers(app, TestHandlers, expected);
  } finally {
    await app.close();
  }
}

test('a handler is found with what its decorator says', async () => {
  const table = await find([AHandler]);
  expect(table.get('a')).toMatchObject({ queue: 'slow', concurrency: 2 });
  expect(table.get('a')!.run({ payload: { n: 1 } } as never)).toBe(2);
});

test('a payload that does not fit the class is refused, naming every fault', async () => {
  const { parse } = (await find([AHandler])).get('a')!;
  expect(parse!({ n: 1 })).toBeInstanceOf(APayload);
  for (const payload of [undefined, null, [], 'x', {}, { n: 'x' }, { n: 1, more: 1 }]) {
    expect(() => parse!(payload)).toThrow(expect.objectContaining({ code: 'invalid-payload' }));
  }
  expect(() => parse!({ m: 1 })).toThrow(
    expect.objectContaining({
      details: expect.arrayContaining([
        { pointer: '/n', detail: 'n must be an integer number' },
        { pointer: '/m', detail: 'property m should not exist' },
      ]),
    }),
  );
});

test.each<[string, Type[], Type[] | undefined, Type[] | undefined]>([
  ['"a" has two handlers', [AHandler, SameTypeHandler], undefined, undefined],
  ['NoRunHandler has @Handler but no method run()', [NoRunHandler], undefined, undefined],
  ['"a b" is not valid: type must be', [BadNameHandler], undefined, undefined],
  ['NoDecorator is listed in TestHandlers but has no @Handler', [NoDecorator], undefined, undefined],
  ['ScopedHandler must not be request-scoped', [ScopedHandler], undefined, [PerRequest]],
  ['AHandler has @Handler but is not listed in TestHandlers', [], [AHandler], undefined],
])('the boot stops: %s', async (message, providers, expected, others) => {
  await expect(find(providers, expected, others)).rejects.toThrow(message);
});

test('every handler file of this worker is listed in its module', () => {
  const folder = new URL('.', import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.handler.ts'),
  );
  const module = readFileSync(new URL('handlers.module.ts', folder), 'utf8');
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect(module).toContain(`./${file.replace(/\.ts$/, '.js')}`);
});

test('the handlers of this worker are the shipped ones, with http.request in a queue of its own', async () => {
  const app = await NestFactory.createApplicationContext(WorkerModule.of({ httpRequestAllow: [] }), {
    logger: false,
  });
  const listed = Reflect.getMetadata('providers', HandlersModule) as Function[];
  const table = findHandlers(app, HandlersModule, listed);
  await app.close();
  expect(table.routes()).toEqual({
    'http.request': 'http',
    'demo.echo': 'default',
    'demo.sleep': 'default',
    'demo.fail': 'default',
  });
});
