import { CacheCallbackError, CachingConfigError, describe } from '../caching.errors.js';
import { chain, type MaybePromise } from '../cache/maybe-promise.js';
import type { CacheTags } from '../decorators.js';
import { callUser } from './user-callback.js';
import type { RequestView } from './request-view.js';
import {
  ALL_VIEWS,
  isTag,
  MAX_TAGS,
  routeParamsTag,
  routeTag,
  TAG_RULE,
  targetTags,
  userTag,
} from './route-tags.js';

/** @throws CachingConfigError naming where they stand */
export function checkTags(tags: CacheTags | undefined, where: string): void {
  if (tags === undefined || typeof tags === 'function') return;
  if (!Array.isArray(tags) || tags.length > MAX_TAGS || !tags.every(isTag)) {
    throw new CachingConfigError(
      'tags',
      tags,
      `a function, or a list of at most ${MAX_TAGS} ${TAG_RULE}`,
      where,
    );
  }
}

/** Makes the function that gives a request's response its tags. */
export function tagsOf(
  route: string,
  tags: CacheTags | undefined,
): (request: RequestView) => MaybePromise<string[]> {
  const fixed = [
    ALL_VIEWS,
    routeTag(route),
    ...(typeof tags === 'function' ? [] : (tags ?? [])).map(userTag),
  ];
  // One text for all entries of a route without parameters.
  const bare = routeParamsTag(route, {});
  const own = ({ url, originalUrl, params }: RequestView): string[] => {
    const hasParams = Object.keys(params).length > 0;
    const found = fixed.concat(hasParams ? routeParamsTag(route, params) : bare, targetTags(url));
    return originalUrl === url ? found : found.concat(targetTags(originalUrl));
  };
  if (typeof tags !== 'function') return own;
  return (request) =>
    chain(callTags(tags, route, request), (given) => [...own(request), ...given.map(userTag)]);
}

/** Calls a `tags` callback and checks what it returns. */
export function callTags(
  tags: CacheTags,
  route: string,
  request: RequestView,
): MaybePromise<readonly string[]> {
  if (typeof tags !== 'function') return tags;
  return chain(
    callUser('tags', route, () => tags(request)),
    (given) => {
      const isList = Array.isArray(given);
      if (isList && given.every(isTag)) return given;
      const wrong = isList ? `${describe(given.find((tag) => !isTag(tag)))} among its tags` : describe(given);
      throw new CacheCallbackError('tags', route, `returned ${wrong}; allowed: a list of ${TAG_RULE}`);
    },
  );
}
