import type { Type } from '@nestjs/common';
import { chain, type MaybePromise } from '../cache/maybe-promise.js';
import { CachingConfigError } from '../caching.errors.js';
import { checkNames } from '../check-names.js';
import type { CacheEvictOptions } from '../decorators.js';
import type { RequestView } from './request-view.js';
import type { RouteSite } from './route-site.js';
import { callTags, checkTags } from './tag-options.js';
import { ALL_VIEWS, pathTag, routeTag, userTag } from './route-tags.js';
import { askUser } from './user-callback.js';

/** What a handler's success evicts. */
export interface EvictPolicy {
  readonly site: RouteSite;
  readonly options: CacheEvictOptions;
  /** It stands on the controller, whose safe methods evict nothing. */
  readonly unsafeOnly: boolean;
}

const FIELDS: Readonly<Record<keyof CacheEvictOptions, true>> = {
  tags: true,
  paths: true,
  routes: true,
  all: true,
  when: true,
  autoEvict: true,
};

/** @throws CachingConfigError naming the route and the field */
export function checkEvict(
  options: CacheEvictOptions,
  site: RouteSite,
  unsafeOnly: boolean,
  isHandler: (controller: Type, method: string) => boolean,
): EvictPolicy {
  const where = `@CacheEvict of ${site.name}`;
  checkNames(options, FIELDS, where);
  const { tags, paths, routes, all, when, autoEvict } = options;
  checkTags(tags, where);
  if (when !== undefined && typeof when !== 'function')
    throw new CachingConfigError('when', when, 'a function', where);
  if (all !== undefined && typeof all !== 'boolean')
    throw new CachingConfigError('all', all, 'true or false', where);
  if (autoEvict !== undefined && typeof autoEvict !== 'boolean')
    throw new CachingConfigError('autoEvict', autoEvict, 'true or false', where);
  if (paths !== undefined && !(Array.isArray(paths) && paths.every((path) => String(path).startsWith('/')))) {
    throw new CachingConfigError('paths', paths, "a list of full paths such as '/books/:name'", where);
  }
  for (const [controller, method] of routes ?? []) {
    if (!isHandler(controller, method)) {
      const given = `${controller?.name ?? String(controller)}.${method}`;
      throw new CachingConfigError('routes', given, '[Controller, method] pairs of this application', where);
    }
  }
  if (
    autoEvict === undefined &&
    !all &&
    !paths?.length &&
    !routes?.length &&
    (Array.isArray(tags) ? tags.length === 0 : tags === undefined)
  ) {
    throw new CachingConfigError('tags', tags, 'something to evict: tags, paths, routes or all', where);
  }
  return { site, options, unsafeOnly };
}

/**
 * The tags that a request evicts; `undefined` where `when` says that it changes nothing.
 *
 * @param nameOf the unique name of a handler
 */
export function evictedTags(
  { site, options }: EvictPolicy,
  request: RequestView,
  nameOf: (controller: Type, method: string) => string,
): MaybePromise<readonly string[] | undefined> {
  const { tags, paths = [], routes = [], all, when } = options;
  const collect = (): MaybePromise<readonly string[]> =>
    chain(tags === undefined ? [] : callTags(tags, site.name, request), (own) => [
      ...own.map(userTag),
      ...paths.flatMap((template) => fillTemplate(template, request.raw.params ?? {})).map(pathTag),
      ...routes.map(([controller, method]) => routeTag(nameOf(controller, method))),
      ...(all ? [ALL_VIEWS] : []),
    ]);
  if (when === undefined) return collect();
  return chain(
    askUser('when', site.name, () => when(request)),
    (wanted) => (wanted ? collect() : undefined),
  );
}

const TEMPLATE_PARAM = /:([A-Za-z_$][\w$]*)/g;

/** The path parameters that the templates of a decorator name. */
export function templateParams({ paths = [] }: CacheEvictOptions): string[] {
  return paths.flatMap((template) =>
    [...template.matchAll(TEMPLATE_PARAM)].map(([, name]) => name as string),
  );
}

/** The path that a template names for a request; none where the request lacks a parameter of it. */
function fillTemplate(template: string, given: object): string[] {
  const params = given as Readonly<Record<string, unknown>>;
  if (templateParams({ paths: [template] }).some((name) => params[name] === undefined)) return [];
  return [
    template.replace(TEMPLATE_PARAM, (_whole, name: string) =>
      // Of a wildcard, Express gives the segments.
      [params[name]]
        .flat()
        .map((segment) => encodeURIComponent(String(segment)))
        .join('/'),
    ),
  ];
}
