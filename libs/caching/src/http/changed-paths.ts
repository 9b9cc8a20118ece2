import { REDIRECT_METADATA } from '@nestjs/common/constants.js';
import type { CachedPaths } from './cached-paths.js';
import { type RequestView, splitTarget } from './request-view.js';
import type { RouteSite } from './route-site.js';
import { hostOf } from './semantics/host.js';
import { pathTag } from './route-tags.js';

/** The fields in which a reply names what else was changed (RFC 9111 §4.4). */
const LOCATION_FIELDS = ['location', 'content-location'] as const;

/** What is known of a write that has succeeded. */
export interface Write {
  readonly site: RouteSite;
  readonly request: RequestView;
  /** A field of its reply. */
  readonly field: (name: string) => unknown;
  /** What its handler returned. */
  readonly value: unknown;
}

/**
 * The tags of what a successful write makes invalid by itself (RFC 9111 §4.4): its own path, and those of the same
 * origin that its reply names. Only of paths that cached routes may serve: an eviction that can't matter costs a
 * shared store a round trip all the same.
 */
export function changedTags(write: Write, cached: CachedPaths): string[] {
  const { request } = write;
  const { url, originalUrl } = request;
  const paths = new Set([splitTarget(url).path, splitTarget(originalUrl).path]);
  for (const location of locationsOf(write)) {
    const path = sameOriginPath(location, request);
    if (path !== undefined) paths.add(path);
  }
  return [...new Set([...paths].filter((path) => cached.mayServe(path)).map(pathTag))];
}

function locationsOf({ site, field, value }: Write): string[] {
  const named = LOCATION_FIELDS.map(field);
  // Nest sets the field of `@Redirect` after all interceptors.
  const handler = (site.controller.prototype as Record<string, object>)[site.method] as object;
  const redirect = Reflect.getMetadata(REDIRECT_METADATA, handler) as { url?: unknown } | undefined;
  if (redirect !== undefined) named.push((value as { url?: unknown } | undefined)?.url ?? redirect.url);
  return named.filter((location) => typeof location === 'string' && location !== '') as string[];
}

/** RFC 9111 §4.4: what another origin has is none of this one's business. */
function sameOriginPath(location: string, { headers, originalUrl }: RequestView): string | undefined {
  // Where the client named no host, only what names none either can be of the same one.
  const host = hostOf(headers) ?? 'host.invalid';
  const base = `http://${host}`;
  if (!URL.canParse(base)) return undefined;
  const { path } = splitTarget(originalUrl);
  const own = new URL(base);
  // A path may begin with two slashes, which a reference takes for a host.
  own.pathname = path;
  if (!URL.canParse(location, own.href)) return undefined;
  const target = new URL(location, own);
  const isWeb = target.protocol === 'http:' || target.protocol === 'https:';
  return isWeb && isSameHost(target, own) ? target.pathname : undefined;
}

/** Behind a proxy that ends TLS, the scheme that this process sees is not the client's, nor is its default port. */
function isSameHost(a: URL, b: URL): boolean {
  return a.hostname === b.hostname && (a.port === b.port || (a.port === '' && b.port === '443'));
}
