import { type Type } from '@nestjs/common';
import {
  CUSTOM_ROUTE_ARGS_METADATA,
  GUARDS_METADATA,
  HOST_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { REQUEST } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { CacheScope } from '../caching.options.js';
import type { KeyCoverage } from './key-strategy.js';

/** What a handler reads and its key does not cover. */
export interface Uncovered {
  /** As the handler declares them, e.g. `@Headers('x-tenant')`. */
  readonly inputs: readonly string[];
  /** What makes up for all of them, as it is written in `@CacheView`, e.g. `vary: ['x-tenant']`. */
  readonly line: string;
  /** What makes up for a body that no key of a GET has. */
  readonly asPost: string | undefined;
}

/** What one input asks for: another part of the key, another header in `vary`, a scope, or the author's word. */
type Remedy =
  | { readonly key: string }
  | { readonly vary: string }
  | { readonly scope: string }
  | { readonly reviewed: true };

interface UncoveredInput {
  readonly input: string;
  readonly remedy: Remedy;
  /** What would be in its key were it a POST. */
  readonly asPost?: string;
}

/** What a route's `@CacheView` says about its inputs. */
export interface CoverageClaims {
  readonly keys: readonly KeyCoverage[];
  /** The strategies behind `keys`, as they are written. */
  readonly keyTexts: readonly string[];
  readonly scope: CacheScope | undefined;
  readonly reviewed: boolean;
}

interface DeclaredInput {
  readonly type: number | 'custom';
  /** The name given to the decorator; `undefined` where the handler takes all of it. */
  readonly name: string | undefined;
  readonly factory: unknown;
}

/** Nest 12's; Nest 11 has no such parameters. */
const COOKIES = 14;
const SIGNED_COOKIES = 15;

/** A request without a body has no bytes, and a key has to say something. */
const RAW_BODY = "custom(({ raw }) => raw.rawBody?.toString('latin1') || false)";

/** Typed, as authors paste them: what an application puts on its requests, this library can't know. */
const USER_ID = "({ user }: RequestView<{ user?: { id: string } }>) => user?.id /* or 'public' */";
const SESSION_ID = '({ session }: RequestView<{ session?: { id: string } }>) => session?.id';

const REVIEWED: Remedy = { reviewed: true };

/**
 * What the handler declares to read and the key does not cover; `undefined` where it covers all. One such input
 * makes a route uncacheable: two requests that differ in it would get one response.
 *
 * @param ownDecorators factories of parameter decorators that read nothing of the request
 */
export function findUncovered(
  controller: InstanceWrapper,
  method: string,
  claims: CoverageClaims,
  ownDecorators: ReadonlySet<unknown>,
): Uncovered | undefined {
  const metatype = controller.metatype as Type;
  const found: UncoveredInput[] = [];
  if (claims.scope === undefined && isGuarded(metatype, method)) {
    found.push({ input: '@UseGuards()', remedy: { scope: USER_ID } });
  }
  if (!claims.reviewed) {
    for (const input of declaredInputs(metatype, method)) {
      if (ownDecorators.has(input.factory)) continue;
      const uncovered = check(input, claims, metatype);
      if (uncovered !== undefined) found.push(uncovered);
    }
    const host: unknown = Reflect.getMetadata(HOST_METADATA, metatype);
    if (isHostPattern(host) && !claims.keys.some((key) => key.host)) {
      found.push({ input: '@Controller({ host })', remedy: { key: hostText(metatype) } });
    }
    if (readsRequestByInjection(controller)) found.push({ input: 'an injected REQUEST', remedy: REVIEWED });
  }
  if (found.length === 0) return undefined;
  return {
    inputs: found.map(({ input }) => input),
    line: lineOf(found, claims),
    asPost: found.map(({ asPost }) => asPost).find((text) => text !== undefined),
  };
}

/** All remedies in one, with what the route says already. */
function lineOf(found: readonly UncoveredInput[], { keys, keyTexts }: CoverageClaims): string {
  const texts = new Set(keyTexts);
  const vary = new Set(keys.flatMap((key) => key.headers ?? []));
  const fields = new Map<string, string>();
  for (const { remedy } of found) {
    if ('key' in remedy) {
      const kind = remedy.key.slice(0, remedy.key.indexOf('(') + 1);
      for (const text of texts) if (text === 'path()' || text.startsWith(kind)) texts.delete(text);
      texts.add(remedy.key);
      fields.set('key', texts.size === 1 ? remedy.key : `[${[...texts].join(', ')}]`);
    } else if ('vary' in remedy) {
      fields.set('vary', `[${[...vary.add(remedy.vary)].map((name) => `'${name}'`).join(', ')}]`);
    } else if ('scope' in remedy) fields.set('scope', remedy.scope);
    else fields.set('inputs', "'reviewed'");
  }
  return [...fields].map(([name, value]) => `${name}: ${value}`).join(', ');
}

function isGuarded(metatype: Type, method: string): boolean {
  const handler: unknown = metatype.prototype[method];
  return [metatype, handler].some((target) => {
    const guards: unknown = Reflect.getMetadata(GUARDS_METADATA, target as object);
    return Array.isArray(guards) && guards.length > 0;
  });
}

/** A host that names no parameter and no pattern is one host, whatever the request says. */
function isHostPattern(host: unknown): boolean {
  return [host]
    .flat()
    .some((item) => item instanceof RegExp || (typeof item === 'string' && /[:*]/.test(item)));
}

function declaredInputs(metatype: Type, method: string): DeclaredInput[] {
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, metatype, method) ?? {}) as Record<
    string,
    { data?: unknown; factory?: unknown }
  >;
  return Object.entries(args).map(([key, { data, factory }]) => ({
    type: key.includes(CUSTOM_ROUTE_ARGS_METADATA) ? 'custom' : Number(key.split(':')[0]),
    name: typeof data === 'string' ? data : undefined,
    factory,
  }));
}

function check(
  { type, name }: DeclaredInput,
  { keys, keyTexts, scope }: CoverageClaims,
  metatype: Type,
): UncoveredInput | undefined {
  const argument = name === undefined ? '()' : `('${name}')`;
  const isCustom = keys.some((key) => key.custom);
  const uncovered = (decorator: string, remedy: Remedy): UncoveredInput => ({
    input: `@${decorator}${argument}`,
    remedy,
  });
  switch (type) {
    // The path is always in the key, and what is written is no input.
    case RouteParamtypes.PARAM:
    case RouteParamtypes.RESPONSE:
      return undefined;
    case RouteParamtypes.QUERY: {
      const covered = keys.map((key) => key.query);
      if (isCustom || coversMember(covered, name)) return undefined;
      return uncovered('Query', ignoresMember(covered, name) ? REVIEWED : { key: 'query()' });
    }
    case RouteParamtypes.BODY: {
      const covered = keys.map((key) => key.body);
      if (isCustom || coversMember(covered, name)) return undefined;
      const whole = keyTexts.some((text) => text.startsWith('formBody(')) ? 'formBody()' : 'jsonBody()';
      if (!covered.some(Boolean)) return { ...uncovered('Body', REVIEWED), asPost: whole };
      return uncovered('Body', ignoresMember(covered, name) ? REVIEWED : { key: whole });
    }
    case RouteParamtypes.HEADERS:
      if (name === undefined) return uncovered('Headers', REVIEWED);
      if (isCustom || keys.some((key) => key.headers?.includes(name.toLowerCase()))) return undefined;
      return uncovered('Headers', { vary: name.toLowerCase() });
    case RouteParamtypes.SESSION:
      if (isCustom || typeof scope === 'function') return undefined;
      return uncovered('Session', { scope: SESSION_ID });
    case RouteParamtypes.IP:
      return isCustom ? undefined : uncovered('Ip', { key: 'custom(({ ip }) => ip)' });
    case RouteParamtypes.HOST:
      return isCustom || keys.some((key) => key.host)
        ? undefined
        : uncovered('HostParam', { key: hostText(metatype) });
    case RouteParamtypes.RAW_BODY:
      if (isCustom) return undefined;
      if (!keys.some((key) => key.body)) return { ...uncovered('RawBody', REVIEWED), asPost: RAW_BODY };
      return uncovered('RawBody', { key: RAW_BODY });
    case RouteParamtypes.FILE:
    case RouteParamtypes.FILES:
      // An interceptor reads uploads, after the cache has looked: no key can hold them.
      return uncovered(type === RouteParamtypes.FILE ? 'UploadedFile' : 'UploadedFiles', REVIEWED);
    case COOKIES:
    case SIGNED_COOKIES:
      if (isCustom || keys.some((key) => key.headers?.includes('cookie'))) return undefined;
      return uncovered(type === COOKIES ? 'Cookies' : 'SignedCookies', { vary: 'cookie' });
    case RouteParamtypes.NEXT:
      return { input: '@Next()', remedy: REVIEWED };
    case RouteParamtypes.REQUEST:
      return { input: '@Req()', remedy: REVIEWED };
    default:
      return { input: 'a custom parameter decorator', remedy: REVIEWED };
  }
}

/** A key part that allows a host which the controller's first pattern may well match. */
function hostText(metatype: Type): string {
  const [pattern]: unknown[] = [Reflect.getMetadata(HOST_METADATA, metatype) as unknown].flat();
  const example = typeof pattern === 'string' ? pattern.replace(/[:*]/g, '') : 'www.example.com';
  return `host({ allow: ['${example}'] })`;
}

/** Whether a strategy leaves out, by name, what the handler asks for by name. */
function ignoresMember(coverages: readonly KeyCoverage['query'][], name: string | undefined): boolean {
  return coverages.some(
    (covered) => typeof covered === 'object' && name !== undefined && covered.ignore?.includes(name),
  );
}

/** Whether one of the strategies covers `name`, or, without a name, all members. */
function coversMember(coverages: readonly KeyCoverage['query'][], name: string | undefined): boolean {
  return coverages.some((covered) => {
    if (covered === undefined) return false;
    if (covered === true) return true;
    if (covered.include) return name !== undefined && covered.include.includes(name);
    // What is ignored is ignored on purpose; only a handler that names it contradicts that.
    return name === undefined || !covered.ignore?.includes(name);
  });
}

/** Whether the controller, or anything that is injected into it, takes the request by injection. */
function readsRequestByInjection(controller: InstanceWrapper): boolean {
  const seen = new Set<InstanceWrapper>();
  const visit = (wrapper: InstanceWrapper): boolean => {
    if (seen.has(wrapper)) return false;
    seen.add(wrapper);
    if (wrapper.token === REQUEST) return true;
    const injected = [
      ...(wrapper.getCtorMetadata() ?? []),
      ...(wrapper.getPropertiesMetadata() ?? []).map((property) => property.wrapper),
    ];
    return injected.some((dependency) => dependency !== undefined && visit(dependency));
  };
  return visit(controller);
}
