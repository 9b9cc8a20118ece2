import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { RouteSite } from './route-site.js';

/**
 * The path parameters that every request of a handler has, as far as its decorators tell: a global prefix may have
 * some as well, and of several paths only what all of them have is sure.
 *
 * @example
 * // @Controller('books') … @Get(':name/pages/:page') → ['name', 'page']
 */
export function requiredParams({ controller, method }: RouteSite): string[] {
  const handler = (controller.prototype as Record<string, object>)[method] as object;
  const paths = pathsOf(controller).flatMap((base) => pathsOf(handler).map((path) => `${base}/${path}`));
  const [first = [], ...others] = paths.map(namesIn);
  return first.filter((name) => others.every((names) => names.includes(name)));
}

/** The path parameters that a handler's decorators name, required or not; a prefix may have more. */
export function possibleParams({ controller, method }: RouteSite): string[] {
  const handler = (controller.prototype as Record<string, object>)[method] as object;
  return [...pathsOf(controller), ...pathsOf(handler)].flatMap((path) =>
    [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => name as string),
  );
}

/** The paths in a controller's or a handler's decorator, without prefixes. */
export function pathsOf(target: object): string[] {
  return [Reflect.getMetadata(PATH_METADATA, target) as string | string[]].flat();
}

/** Optional ones are `{/:name}` on Express and `/:name?` on Fastify. */
function namesIn(path: string): string[] {
  const always = path.replace(/\{[^}]*\}/g, '').replace(/:\w+(?:\([^)]*\))?\?/g, '');
  return [...always.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
}
