import {
  CACHE_KEY_METADATA,
  CACHE_MANAGER,
  CACHE_TTL_METADATA,
  CacheInterceptor,
} from '@nestjs/cache-manager';
import type { Type } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { CACHE_VIEW } from './decorators.js';

/**
 * Warns of `@nestjs/cache-manager`'s own response caching where it is active beside this module's: a response that
 * it stored would be served after an eviction.
 */
export function warnOfNeighbours(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  warn: (message: string) => void,
): void {
  const managers = discovery.getProviders().filter(({ token }) => token === CACHE_MANAGER);
  // However often this module is imported, it provides the same one.
  if (new Set(managers.map(({ instance }) => instance as unknown)).size > 1) {
    warn(
      'CACHE_MANAGER is provided twice: by CachingModule and by a CacheModule of the application. Which one is ' +
        'injected depends on the order of imports. Say CachingModule.forRoot({ cacheManager: false }) to keep the latter.',
    );
  }
  const isGlobal = discovery
    .getProviders()
    .some(({ subtype, metatype }) => subtype === 'interceptor' && isCacheInterceptor(metatype));
  if (isGlobal) {
    warn(
      'CacheInterceptor is registered as APP_INTERCEPTOR beside CachingModule: what it stores, no eviction reaches. Remove it.',
    );
  }
  for (const { metatype } of discovery.getControllers()) {
    const controller = metatype as Type | null;
    if (!controller?.prototype) continue;
    for (const method of scanner.getAllMethodNames(controller.prototype as object)) {
      checkHandler(controller, method, warn);
    }
  }
}

function checkHandler(controller: Type, method: string, warn: (message: string) => void): void {
  const handler = controller.prototype[method] as object;
  const targets = [handler, controller];
  if (!targets.some((target) => Reflect.getMetadata(CACHE_VIEW, target) !== undefined)) return;
  const name = `${controller.name}.${method}`;
  const interceptors = targets.flatMap(
    (target) => (Reflect.getMetadata(INTERCEPTORS_METADATA, target) ?? []) as unknown[],
  );
  if (interceptors.some(isCacheInterceptor)) {
    warn(
      `${name} has both @CacheView and CacheInterceptor: what the latter stores, no eviction reaches. Remove it.`,
    );
  }
  const ignored = [CACHE_KEY_METADATA, CACHE_TTL_METADATA].some(
    (key) => Reflect.getMetadata(key, handler) !== undefined,
  );
  if (ignored) {
    warn(
      `${name}: @CacheKey and @CacheTTL are read by CacheInterceptor only. Write @CacheView({ key, ttl }).`,
    );
  }
}

function isCacheInterceptor(item: unknown): boolean {
  const type = typeof item === 'function' ? item : (item as object | null)?.constructor;
  return type === CacheInterceptor || type?.prototype instanceof CacheInterceptor;
}
