import { AsyncLocalStorage } from 'node:async_hooks';
import { createParamDecorator, type ExecutionContext, Injectable, Scope } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { Fill } from './cache/fill.js';
import { DURATION_RULE, type Duration, toMilliseconds } from './duration.js';
import { CacheUsageError, describe } from './caching.errors.js';
import { isTag, limitTags, MAX_TAGS, TAG_RULE, userTag } from './http/route-tags.js';
import { type FrameworkRequest, nodeRequest } from './http/request-view.js';

/** By the request: beside it, as a new property of one is dear on Express (see `platform.ts`). */
const fills = new WeakMap<object, Fill>();

/** The fill that a piece of code runs for. Only kept where somebody injected `CacheContext`: it slows down promises. */
const currentFill = new AsyncLocalStorage<Fill>();
let isInjected = false;
/** Whether any handler takes its context as a parameter: only then are fills kept by their requests. */
let isParameter = false;

/** Runs a handler so that its `CacheContext` finds its fill. */
export function withFill(
  request: FrameworkRequest,
  fill: Fill,
  handle: () => Observable<unknown>,
): Observable<unknown> {
  if (isParameter) fills.set(nodeRequest(request), fill);
  if (!isInjected) return handle();
  // Subscribed to in there as well: an Observable that a handler returns does its work then.
  return new Observable((subscriber) => currentFill.run(fill, () => handle().subscribe(subscriber)));
}

/**
 * What a handler, or any service it calls, may say about its own response. On a request that is not filling the
 * cache (a bypass, an uncached route) its methods do nothing.
 *
 * @example
 * constructor(private readonly cache: CacheContext) {}
 * async prices() {
 *   const quote = await this.exchange.quote();
 *   if (quote.delayed) this.cache.noStore();
 *   this.cache.ttl(quote.validForMs);
 *   this.cache.tag(`quote:${quote.id}`);
 * }
 *
 * @example
 * @Get(':id') @CacheView()
 * one(@CacheContext() cache: CacheContext) { cache.tag('books'); }
 */
export interface CacheContext {
  /** This response is not stored, nor given to others that wait for it. */
  noStore(): void;
  /**
   * How long this response may be served from the cache, whatever the route says.
   *
   * @throws CacheUsageError where it is no duration above 0
   */
  ttl(duration: Duration): void;
  /**
   * Labels to evict this response by, beside the route's. With more than 256 it is not stored.
   *
   * @throws CacheUsageError where one is not a non-empty string
   */
  tag(...tags: readonly string[]): void;
}

class FillContext implements CacheContext {
  constructor(private readonly fill: () => Fill | undefined) {}

  noStore(): void {
    const fill = this.fill();
    if (fill !== undefined) fill.refusal = 'handler';
  }

  ttl(duration: Duration): void {
    const milliseconds = toMilliseconds(duration);
    if (milliseconds === undefined) {
      throw new CacheUsageError(`CacheContext.ttl(${describe(duration)}); allowed: ${DURATION_RULE}`);
    }
    const fill = this.fill();
    if (fill !== undefined) fill.ttl = milliseconds;
  }

  tag(...tags: readonly string[]): void {
    for (const tag of tags)
      if (!isTag(tag)) throw new CacheUsageError(`CacheContext.tag(${describe(tag)}); allowed: ${TAG_RULE}`);
    const fill = this.fill();
    // What will not be stored needs no tags, and may not gather them without end.
    if (fill === undefined || fill.refusal !== undefined) return;
    // One more than fits is enough to see that it does not.
    for (const tag of [...new Set(tags)].slice(0, MAX_TAGS + 1)) fill.addTag(userTag(tag));
    limitTags(fill);
  }
}

class InjectedContext extends FillContext {
  constructor() {
    super(() => currentFill.getStore());
    isInjected = true;
  }
}

/** Reads nothing of the request but its fill, so the key need not cover it. */
export function contextDecoratorFactory(_data: unknown, context: ExecutionContext): CacheContext {
  const request = context.switchToHttp().getRequest<FrameworkRequest>();
  return new FillContext(() => fills.get(nodeRequest(request)));
}

const contextDecorator = createParamDecorator(contextDecoratorFactory);

interface CacheContextConstructor {
  /** Parameter decorator: the context of this request. */
  (): ParameterDecorator;
  /** Provider: inject it by its type. */
  new (): CacheContext;
}

/** One name for both uses: called it is the parameter decorator, as a token or with `new` it is the provider. */
export const CacheContext: CacheContextConstructor = new Proxy(InjectedContext, {
  apply: () => {
    isParameter = true;
    return contextDecorator();
  },
}) as unknown as CacheContextConstructor;

// Of the proxy, as Nest reads the metadata of the very object that is provided. Transient, so that it is constructed
// only where somebody injects it: without that, every application would pay for the storage.
Injectable({ scope: Scope.TRANSIENT })(CacheContext);
