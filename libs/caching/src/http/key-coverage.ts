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

/** Something that a handler reads and its key does not cover. */
export interface UncoveredInput {
  /** As the handler declares it, e.g. `@Headers('x-tenant')`. */
  readonly input: string;
  /** What to add to the route's `@CacheView`, e.g. `vary: ['x-tenant']`. */
  readonly line: string;
}

/** What a route's `@CacheView` says about its inputs. */
export interface CoverageClaims {
  readonly keys: readonly KeyCoverage[];
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

const REVIEWED = "inputs: 'reviewed'";

/**
 * What the handler declares to read and the key does not cover. One such input makes a route uncacheable: two
 * requests that differ in it would get one response.
 *
 * @param ownDecorators factories of parameter decorators that read nothing of the request
 */
export function findUncovered(
  controller: InstanceWrapper,
  method: string,
  claims: CoverageClaims,
  ownDecorators: ReadonlySet<unknown>,
): UncoveredInput[] {
  const metatype = controller.metatype as Type;
  const found: UncoveredInput[] = [];
  if (claims.scope === undefined && isGuarded(metatype, method)) {
    found.push({ input: '@UseGuards()', line: "scope: 'public', or scope: ({ user }) => user.id" });
  }
  if (claims.reviewed) return found;
  for (const input of declaredInputs(metatype, method)) {
    if (ownDecorators.has(input.factory)) continue;
    const uncovered = check(input, claims);
    if (uncovered !== undefined) found.push(uncovered);
  }
  const host: unknown = Reflect.getMetadata(HOST_METADATA, metatype);
  if (isHostPattern(host) && !claims.keys.some((key) => key.host)) {
    found.push({ input: '@Controller({ host })', line: "host({ allow: ['…'] }) to key" });
  }
  if (readsRequestByInjection(controller)) found.push({ input: 'an injected REQUEST', line: REVIEWED });
  return found;
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

function check({ type, name }: DeclaredInput, { keys, scope }: CoverageClaims): UncoveredInput | undefined {
  const argument = name === undefined ? '()' : `('${name}')`;
  const isCustom = keys.some((key) => key.custom);
  const uncovered = (decorator: string, line: string): UncoveredInput => ({
    input: `@${decorator}${argument}`,
    line,
  });
  switch (type) {
    // The path is always in the key, and what is written is no input.
    case RouteParamtypes.PARAM:
    case RouteParamtypes.RESPONSE:
      return undefined;
    case RouteParamtypes.QUERY:
      if (
        isCustom ||
        coversMember(
          keys.map((key) => key.query),
          name,
        )
      )
        return undefined;
      return uncovered('Query', keys.some((key) => key.query) ? REVIEWED : 'query() to key');
    case RouteParamtypes.BODY:
      if (
        isCustom ||
        coversMember(
          keys.map((key) => key.body),
          name,
        )
      )
        return undefined;
      return uncovered('Body', keys.some((key) => key.body) ? REVIEWED : 'key: jsonBody()');
    case RouteParamtypes.HEADERS:
      if (name === undefined) return uncovered('Headers', `vary: ['…'] and ${REVIEWED}`);
      if (isCustom || keys.some((key) => key.headers?.includes(name.toLowerCase()))) return undefined;
      return uncovered('Headers', `vary: ['${name.toLowerCase()}']`);
    case RouteParamtypes.SESSION:
      if (isCustom || typeof scope === 'function') return undefined;
      return uncovered('Session', 'scope: ({ session }) => session.…');
    case RouteParamtypes.IP:
      return isCustom ? undefined : uncovered('Ip', 'key: [query(), custom(({ ip }) => ip)]');
    case RouteParamtypes.HOST:
      return isCustom || keys.some((key) => key.host)
        ? undefined
        : uncovered('HostParam', "host({ allow: ['…'] }) to key");
    case RouteParamtypes.RAW_BODY:
      return isCustom ? undefined : uncovered('RawBody', 'key: custom(…) over the bytes');
    case RouteParamtypes.FILE:
    case RouteParamtypes.FILES:
      return uncovered(
        type === RouteParamtypes.FILE ? 'UploadedFile' : 'UploadedFiles',
        '@NoCache(), as uploads are not in any key,',
      );
    case COOKIES:
    case SIGNED_COOKIES:
      if (isCustom || keys.some((key) => key.headers?.includes('cookie'))) return undefined;
      return uncovered(
        type === COOKIES ? 'Cookies' : 'SignedCookies',
        'key: [query(), custom(({ cookies }) => cookies.…)]',
      );
    case RouteParamtypes.NEXT:
      return { input: '@Next()', line: REVIEWED };
    case RouteParamtypes.REQUEST:
      return { input: '@Req()', line: REVIEWED };
    default:
      return { input: 'a custom parameter decorator', line: REVIEWED };
  }
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
