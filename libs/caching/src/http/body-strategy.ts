import { CachingConfigError } from '../caching.errors.js';
import { type CanonicalLimits, canonicalize, NotCanonical } from './canonical.js';
import { checkPick, written } from './key-options.js';
import type { NamedKeyStrategy } from './key-strategy.js';

export interface BodyKeyOptions {
  /** Only these top-level members count. */
  readonly include?: readonly string[];
  /** These top-level members don't count. */
  readonly ignore?: readonly string[];
  /** The longest canonical text of a body, in bytes. Default 65,536. A longer one bypasses the cache. */
  readonly maxBytes?: number;
}

const BODY_LIMITS: CanonicalLimits = { maxLength: 65_536, maxDepth: 64 };

/**
 * The JSON body as parsed, before pipes: member order does not matter, array order does. A body that is not JSON,
 * too long or too deep bypasses the cache.
 *
 * @example
 * @Post('search') @CacheView({ key: jsonBody() }) search(@Body() query: SearchDto) {}
 */
export function jsonBody(options: BodyKeyOptions = {}): NamedKeyStrategy {
  return bodyStrategy('jsonBody', /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i, options);
}

/**
 * The fields of an `application/x-www-form-urlencoded` body, as parsed, before pipes. Anything else bypasses.
 *
 * @example
 * @Post('quote') @CacheView({ key: formBody({ ignore: ['csrf'] }) }) quote(@Body() form: QuoteDto) {}
 */
export function formBody(options: BodyKeyOptions = {}): NamedKeyStrategy {
  return bodyStrategy('formBody', /^application\/x-www-form-urlencoded\s*(?:;|$)/i, options);
}

function bodyStrategy(name: string, contentType: RegExp, options: BodyKeyOptions): NamedKeyStrategy {
  checkPick(`${name}()`, options, ['maxBytes']);
  const { include, ignore, maxBytes = BODY_LIMITS.maxLength } = options;
  if (!Number.isInteger(maxBytes) || maxBytes < 1) {
    throw new CachingConfigError('maxBytes', maxBytes, 'a whole number of at least 1', `${name}()`);
  }
  const limits = { ...BODY_LIMITS, maxLength: maxBytes };
  return {
    name: written(name, options),
    source: 'other',
    covers: { body: include || ignore ? { ...(include && { include }), ...(ignore && { ignore }) } : true },
    part({ headers, body }) {
      if (body === undefined || !contentType.test(headers['content-type'] ?? '')) return { bypass: 'body' };
      try {
        return canonicalize(pick(body, limits, include, ignore), limits);
      } catch (error) {
        if (error instanceof NotCanonical) return { bypass: 'body' };
        throw error;
      }
    },
  };
}

function pick(
  body: unknown,
  limits: CanonicalLimits,
  include?: readonly string[],
  ignore?: readonly string[],
): unknown {
  if ((!include && !ignore) || typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const names = include?.filter((name) => Object.hasOwn(body, name)) ?? Object.keys(body);
  // As for all of a body: what is too long anyway is not copied first.
  if (names.length * 5 > limits.maxLength) throw new NotCanonical('too long');
  const kept = names.filter((name) => !ignore?.includes(name));
  return Object.fromEntries(kept.map((name) => [name, (body as Record<string, unknown>)[name]]));
}
