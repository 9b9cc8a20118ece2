import type { DiscoveryService } from '@nestjs/core';
import { definitionsIn } from './definition.js';
import { giveHost, hostOf, type MemoizeHost } from './memoize-host.js';
import type { Memoizer } from './memoizer.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/**
 * Once all modules are there: gives instances that Nest did not make (`useFactory`, `useValue`) their host, and tells
 * of which classes there is one instance only, which need not say whose it is.
 *
 * @throws CachingConfigError where two memoized methods have one name
 */
export function findMemoized(discovery: DiscoveryService, memoizer: Memoizer, host: MemoizeHost): void {
  const instances = new Map<object, Set<object>>();
  const perRequest = new Set<object>();
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    for (const [on, instance] of memoizedIn(wrapper)) {
      if (instance === undefined) {
        perRequest.add(on);
        continue;
      }
      // A value may have been provided to an application that has ended since.
      if (hostOf(instance)?.memoizer === undefined) giveHost(instance, host);
      const known = instances.get(on);
      if (known === undefined) instances.set(on, new Set([instance]));
      else known.add(instance);
    }
  }
  for (const [on, of] of instances) {
    const [first] = of;
    if (first !== undefined && of.size === 1 && !perRequest.has(on)) memoizer.noteSingle(on, first);
  }
  for (const on of new Set([...instances.keys(), ...perRequest])) {
    const { prototype } = on as { prototype?: unknown };
    for (const definition of definitionsIn(prototype)) memoizer.prepare(definition, on);
  }
}

/** Its class, and its instance where there is one for the application's life. */
function memoizedIn(wrapper: Wrapper): (readonly [on: object, instance: object | undefined])[] {
  const { metatype } = wrapper as { metatype: unknown };
  if (!wrapper.isDependencyTreeStatic() || wrapper.isTransient) {
    const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
    return definitionsIn(prototype).length > 0 ? [[metatype as object, undefined]] : [];
  }
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null) return [];
  const prototype = Object.getPrototypeOf(instance) as { constructor?: object } | null;
  if (definitionsIn(prototype).length === 0 || prototype?.constructor === undefined) return [];
  return [[prototype.constructor, instance]];
}
