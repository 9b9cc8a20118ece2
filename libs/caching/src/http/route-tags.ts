import { createHash } from 'node:crypto';
import type { Fill } from '../cache/fill.js';
import { hardened } from '../cache/soft.js';
import { RecentMap } from '../recent-map.js';
import { flatText } from './flat-text.js';
import { component, componentsOf } from './key-strategy.js';
import { paramText } from './param-text.js';
import { splitTarget } from './request-view.js';

/** Carried by every view: what `all()` evicts. */
export const ALL_VIEWS = '*';

/** Segments that have a tag of their own; below that, `byPrefix` evicts by the deepest prefix that has one. */
const MAX_PREFIX_DEPTH = 16;

/** How many tags of the application's a response may carry. */
export const MAX_TAGS = 256;

export const TAG_RULE = 'non-empty strings';

const MAX_TAG_LENGTH = 256;

export function isTag(tag: unknown): tag is string {
  return typeof tag === 'string' && tag.length > 0;
}

/** Clients choose paths and what `book:${params.name}` is: of a long tag its kind and its digest are kept. */
export function bounded(tag: string): string {
  if (tag.length <= MAX_TAG_LENGTH) return tag;
  return `${tag.slice(0, 2)}#${createHash('sha256').update(tag, 'utf16le').digest('base64url')}`;
}

/** A tag that the application chose, kept apart from those below. */
export function userTag(tag: string): string {
  return bounded(flatText('t:', tag));
}

/** Half of its tags would leave a response served after an eviction that it should have heard of. */
export function limitTags(fill: Fill): void {
  if (fill.countTags((tag) => tag.startsWith('t:')) > MAX_TAGS) fill.refusal = 'tags';
}

/** All responses of one handler. */
export function routeTag(route: string): string {
  return `r:${route}`;
}

/** The responses of one handler for one complete set of its path parameters. */
export function routeParamsTag(route: string, params: Readonly<Record<string, unknown>>): string {
  // Fastify has a name without a value for an optional parameter that is absent, Express has none.
  const pairs = Object.keys(params)
    .filter((name) => params[name] !== undefined)
    .sort()
    .map((name) => component(name) + component(paramText(params[name])));
  return bounded(flatText('r:', route, '?', ...pairs));
}

/** Exactly one path, in any of its spellings. */
export function pathTag(path: string): string {
  return bounded(['p:', ...pathSegments(path)].join('/'));
}

/** A path and everything under it, by segments. */
export function prefixTag(path: string): string {
  return bounded(['x:', ...pathSegments(path).slice(0, MAX_PREFIX_DEPTH)].join('/'));
}

/** Paths whose tags are remembered; longer ones than this are not. */
const KNOWN_PATHS = 1_000;
const KNOWN_PATH_LENGTH = 256;
const known = new RecentMap<readonly string[]>(KNOWN_PATHS);

/** What a response of `target` carries so that `byPath` and `byPrefix` find it. */
export function targetTags(target: string): readonly string[] {
  const { path } = splitTarget(target);
  if (path.length > KNOWN_PATH_LENGTH) return makeTargetTags(path);
  let tags = known.get(path);
  // The entries of a path share their tags' texts, as there may be many that differ in their query.
  if (tags === undefined) known.set(path, (tags = makeTargetTags(path)));
  return tags;
}

function makeTargetTags(path: string): string[] {
  const parts = pathSegments(path);
  const tags = [bounded(['p:', ...parts].join('/'))];
  for (let depth = Math.min(parts.length, MAX_PREFIX_DEPTH); depth >= 0; depth--) {
    tags.push(bounded(['x:', ...parts.slice(0, depth)].join('/')));
  }
  return tags;
}

/**
 * The segments of a path in one spelling for all that any router treats alike: percent-encoding undone once, case
 * folded, empty segments dropped, backslashes taken for slashes, and nothing of what follows a `;` or a `#`, where
 * some routers see the path end.
 * Spellings that one router tells apart may fall together here, which evicts too much rather than too little.
 */
export function pathSegments(path: string): string[] {
  const [whole = ''] = foldCase(decode(splitTarget(path).path)).split(/[;#]/, 1);
  return whole.split(/[\\/]+/).filter((segment) => segment !== '');
}

/** Both ways, as routers go either and letters such as the Kelvin sign have no way back. */
function foldCase(path: string): string {
  return path.toLowerCase().toUpperCase();
}

function decode(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch (error) {
      if (error instanceof URIError) return encoded;
      throw error;
    }
  });
}

const KINDS = { t: 'tag', r: 'route', p: 'path', x: 'prefix' } as const;

/** A tag as it is stored, for people. Of a long one only its digest is known. */
export function readTag(tag: string): {
  readonly kind: (typeof KINDS)[keyof typeof KINDS] | 'all' | 'key';
  readonly name: string;
} {
  const hard = hardened(tag);
  if (hard !== undefined) return readTag(hard);
  if (tag === ALL_VIEWS) return { kind: 'all', name: 'everything' };
  const kind = tag[1] === ':' ? KINDS[tag[0] as keyof typeof KINDS] : undefined;
  if (kind === undefined) return { kind: 'key', name: 'this key' };
  const name = tag.slice(2);
  if (kind === 'path' || kind === 'prefix') return { kind, name: name.toLowerCase() || '/' };
  if (kind !== 'route') return { kind, name };
  const [route = name, params] = name.split('?', 2);
  return { kind, name: params === undefined ? route : `${route}(${componentsOf(params, 64).join(' ')})` };
}
