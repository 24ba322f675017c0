import { type INestApplicationContext } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, ModuleRef } from '@nestjs/core';
import { HandlerTable, type HandlerDefinition } from '@app/queue';
import { decoratedClasses, handlerOptions, type TaskHandler } from './handler.js';
import { payloadParser } from './payload.js';

/**
 * Collects the handlers of a module. Whatever is not as it should be stops the boot: it would otherwise show as tasks
 * that fail.
 *
 * @param module the class whose providers are the handlers, all of them and nothing else
 * @param expected decorated classes that must be among them. Default: all that were loaded
 * @throws Error naming the class and what is wrong with it
 */
export function findHandlers(
  app: INestApplicationContext,
  module: Function,
  expected: readonly Function[] = decoratedClasses(),
): HandlerTable {
  const wrappers = app.get(DiscoveryService, { strict: false }).getProviders({ include: [module] });
  const definitions: HandlerDefinition[] = [];
  const found = new Set<Function>();
  for (const wrapper of wrappers) {
    // Nest counts these among every module's providers.
    if ([module, ModuleRef, ApplicationConfig].includes(wrapper.token as Function)) continue;
    const type = wrapper.metatype as Function | null;
    const options = type && handlerOptions(type);
    if (!type || !options)
      throw new Error(`${wrapper.name} is listed in ${module.name} but has no @Handler.`);
    if (wrapper.isTransient || !wrapper.isDependencyTreeStatic()) {
      throw new Error(
        `${type.name} must not be request-scoped or transient: one instance executes all its tasks.`,
      );
    }
    const handler = wrapper.instance as Partial<TaskHandler>;
    if (typeof handler.run !== 'function') throw new Error(`${type.name} has @Handler but no method run().`);
    found.add(type);
    const { payload, ...definition } = options;
    definitions.push({
      ...definition,
      ...(payload && { parse: payloadParser(payload) }),
      run: (context) => handler.run!(context.payload, context),
    });
  }
  const missing = expected.find((type) => !found.has(type));
  if (missing) throw new Error(`${missing.name} has @Handler but is not listed in ${module.name}.`);
  return new HandlerTable(definitions);
}
